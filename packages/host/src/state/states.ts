import { hostLimits } from '../limits.ts';
import type { StateSpace, StateUse, StateValues, StateWriter } from '../store/state-values.ts';
import type { Store } from '../store/store.ts';
import { StateRefusal } from './refusal.ts';
import type { StateStore } from './state-store.ts';

/** One step of a change. `check` changes nothing; it only holds the others to a version. */
export type StateOperation =
  | { readonly op: 'set'; readonly key: string; readonly value: unknown; readonly ifVersion?: number | undefined }
  | { readonly op: 'delete'; readonly key: string; readonly ifVersion?: number | undefined }
  | { readonly op: 'check'; readonly key: string; readonly ifVersion: number };

/** A value and how often its key was changed; version 0 and no value when it is absent. */
export interface StateEntry {
  readonly value: unknown;
  readonly version: number;
}

/**
 * The values that plugins keep in the host: JSON under keys, with versions against lost updates. What is acknowledged
 * is on the disk, and so is whatever was read. Throws StateRefusal, or STATE_UNREADABLE when the disk fails; of a
 * change that failed on its way to the disk it is not known whether it will be found again.
 */
export class States implements StateStore {
  readonly #values: StateValues;
  readonly #wal: Store['wal'];

  constructor({ values, wal }: Pick<Store, 'values' | 'wal'>) {
    this.#values = values;
    this.#wal = wal;
  }

  async get(space: StateSpace, key: string): Promise<StateEntry> {
    const found = this.#values.get(space, key);
    // Another plugin's change may be on its way still: nobody acts on what a power cut can take back.
    await this.#wal.synced();
    return found === undefined
      ? { value: null, version: 0 }
      : { value: JSON.parse(found.value) as unknown, version: found.version };
  }

  /** Keys in the order of their bytes. */
  async list(
    space: StateSpace,
    prefix: string,
  ): Promise<readonly { readonly key: string; readonly version: number }[]> {
    const items = this.#values.list(space, prefix).map(({ key, version }) => ({ key, version }));
    await this.#wal.synced();
    return items;
  }

  /** All operations in their order, or none. Returns the versions after each; 0 for what was deleted. */
  async update(
    space: StateSpace,
    operations: readonly StateOperation[],
    writer: StateWriter,
  ): Promise<readonly number[]> {
    // Before the transaction: what cannot be stored must not hold the lock that others wait for.
    const prepared = operations.map(prepare);
    const versions = this.#values.together(() => {
      const before = this.#values.use(space, writer);
      const after = prepared.map((operation) => this.#apply(space, operation, writer));
      assertWithin(this.#values.use(space, writer), before);
      return after;
    });
    this.#wal.committed();
    await this.#wal.synced();
    return versions;
  }

  /** What a plugin has of its own. */
  use(plugin: string): StateUse {
    return this.#values.ownUse(plugin);
  }

  #apply(space: StateSpace, { op, key, text, ifVersion }: Prepared, writer: StateWriter): number {
    if (ifVersion !== undefined || op === 'check') {
      const version = this.#values.version(space, key);
      if (version !== ifVersion) throw StateRefusal.conflict(key, version, ifVersion);
      if (op === 'check') return version;
    }
    if (op === 'set') return this.#values.set(space, key, text, writer);
    this.#values.remove(space, key);
    return 0;
  }
}

interface Prepared {
  readonly op: StateOperation['op'];
  readonly key: string;
  /** The value as JSON; empty for what sets nothing. */
  readonly text: string;
  readonly ifVersion: number | undefined;
}

function prepare(operation: StateOperation): Prepared {
  const { op, key, ifVersion } = operation;
  // SQLite ends a text at NUL in some of its functions, and a half of a surrogate pair would be another key when read.
  if (key.includes('\0') || Buffer.from(key).toString() !== key) {
    throw StateRefusal.invalid(`The key ${JSON.stringify(key.slice(0, 80))} is not a text that can be stored.`);
  }
  return { op, key, text: op === 'set' ? textOf(key, operation.value) : '', ifVersion };
}

function textOf(key: string, value: unknown): string {
  const text: string | undefined = JSON.stringify(value);
  if (text === undefined) throw StateRefusal.invalid(`The value of ${JSON.stringify(key)} is nothing that JSON has.`);
  const bytes = Buffer.byteLength(text);
  if (bytes > hostLimits.stateValueBytes) {
    throw StateRefusal.quota(
      `The value of ${JSON.stringify(key)} has ${bytes} bytes as JSON, and ${hostLimits.stateValueBytes} may be. ` +
        "Keep what is larger in a file of the plugin's data folder.",
      { bytes, bytesMax: hostLimits.stateValueBytes },
    );
  }
  return text;
}

/** Whoever has too much may still take away, or make smaller. */
function assertWithin({ keys, bytes }: StateUse, before: StateUse): void {
  const { stateKeys, stateBytes } = hostLimits;
  if (keys > stateKeys && keys > before.keys) {
    throw StateRefusal.quota(`A plugin may keep ${stateKeys} keys in one scope, and this would make them ${keys}.`, {
      keys,
      keysMax: stateKeys,
    });
  }
  if (bytes > stateBytes && bytes > before.bytes) {
    throw StateRefusal.quota(
      `A plugin may keep ${stateBytes} bytes in one scope, and this would make them ${bytes}. Delete some first.`,
      { bytes, bytesMax: stateBytes },
    );
  }
}
