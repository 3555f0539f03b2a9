import { hostLimits } from '../limits.ts';
import type { Database } from './database.ts';

/** Whose values: one plugin's of one publisher, one project's, or everybody's. */
export type StateSpace =
  | { readonly scope: 'plugin'; readonly owner: string; readonly publisher: string }
  | { readonly scope: 'project'; readonly owner: string; readonly publisher: '' }
  | { readonly scope: 'global'; readonly owner: ''; readonly publisher: '' };

/** To whom the room counts that a value takes: whoever wrote it last. */
export interface StateWriter {
  readonly plugin: string;
  readonly publisher: string;
}

/** A value as it is stored: JSON text, and how often its key was changed. */
export interface StateValue {
  readonly value: string;
  readonly version: number;
}

export interface StateUse {
  readonly keys: number;
  /** Of keys and values, in UTF-8. */
  readonly bytes: number;
}

/** The values that plugins keep in the host. What `together` does is one transaction; all else is read. */
export interface StateValues {
  get(space: StateSpace, key: string): StateValue | undefined;
  /** The version of a key: 0 when it is absent. */
  version(space: StateSpace, key: string): number;
  /** Returns the new version, which no earlier value of this key ever had. */
  set(space: StateSpace, key: string, value: string, writer: StateWriter): number;
  remove(space: StateSpace, key: string): void;
  /** In the order of their bytes. */
  list(space: StateSpace, prefix: string): { readonly key: string; readonly version: number }[];
  /** What one writer has in one space. */
  use(space: StateSpace, writer: StateWriter): StateUse;
  /** What a plugin has of its own, of all its publishers together. */
  ownUse(plugin: string): StateUse;
  /** All of it or none. Another process sees none of it before the end. */
  together<T>(work: () => T): T;
  /** The plugin's own values, of all its publishers. Shared ones stay: others may need them. */
  removeAll(plugin: string): void;
  /** Files what was one publisher's under another one. */
  refile(from: string, to: string): void;
}

const inSpace = 'scope = ? AND owner = ? AND publisher = ?';
/** In the place of a key, which is never empty: all that were deleted and are not remembered by themselves. */
const everyKey = '';

export class SqliteStateValues implements StateValues {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get(space: StateSpace, key: string): StateValue | undefined {
    return this.#database.get<StateValue>(
      `SELECT value, version FROM state_values WHERE ${inSpace} AND key = ?`,
      ...placeOf(space),
      key,
    );
  }

  version(space: StateSpace, key: string): number {
    const row = this.#database.get<{ version: number }>(
      `SELECT version FROM state_values WHERE ${inSpace} AND key = ?`,
      ...placeOf(space),
      key,
    );
    return row?.version ?? 0;
  }

  set(space: StateSpace, key: string, value: string, writer: StateWriter): number {
    const version = (this.version(space, key) || this.#takeFloor(space, key)) + 1;
    this.#database.run(
      `INSERT INTO state_values (scope, owner, publisher, key, version, value, bytes, writer, writer_publisher)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
      ON CONFLICT (scope, owner, publisher, key) DO UPDATE SET version = excluded.version, value = excluded.value,
        bytes = excluded.bytes, writer = excluded.writer, writer_publisher = excluded.writer_publisher`,
      ...placeOf(space),
      key,
      version,
      value,
      Buffer.byteLength(key) + Buffer.byteLength(value),
      writer.plugin,
      writer.publisher,
    );
    return version;
  }

  remove(space: StateSpace, key: string): void {
    const version = this.version(space, key);
    if (version === 0) return;
    this.#setFloor(space, key, version);
    this.#database.run(`DELETE FROM state_values WHERE ${inSpace} AND key = ?`, ...placeOf(space), key);
  }

  list(space: StateSpace, prefix: string): { readonly key: string; readonly version: number }[] {
    // No byte of UTF-8 is 0xFF: what begins with the prefix comes before the prefix with that byte.
    return this.#database.all(
      `SELECT key, version FROM state_values WHERE ${inSpace} AND key >= ? AND key < ? || CAST(x'FF' AS TEXT)
      ORDER BY key`,
      ...placeOf(space),
      prefix,
      prefix,
    );
  }

  use(space: StateSpace, writer: StateWriter): StateUse {
    const row = this.#database.get<StateUse>(
      'SELECT keys, bytes FROM state_use WHERE writer = ? AND writer_publisher = ? AND scope = ? AND owner = ?',
      writer.plugin,
      writer.publisher,
      space.scope,
      space.owner,
    );
    return row === undefined ? { keys: 0, bytes: 0 } : { ...row };
  }

  ownUse(plugin: string): StateUse {
    const row = this.#database.get<StateUse>(
      "SELECT total(keys) AS keys, total(bytes) AS bytes FROM state_use WHERE scope = 'plugin' AND owner = ?",
      plugin,
    );
    return { keys: row?.keys ?? 0, bytes: row?.bytes ?? 0 };
  }

  together<T>(work: () => T): T {
    return this.#database.transaction('normal', work);
  }

  removeAll(plugin: string): void {
    this.#database.transaction('full', () => {
      for (const table of ['state_values', 'state_floors']) {
        this.#database.run(`DELETE FROM ${table} WHERE scope = 'plugin' AND owner = ?`, plugin);
      }
    });
  }

  refile(from: string, to: string): void {
    this.#database.transaction('full', () => {
      // Not OR REPLACE: what that replaces is not counted off.
      this.#database.run(
        `DELETE FROM state_values WHERE publisher = ? AND (scope, owner, key) IN
          (SELECT scope, owner, key FROM state_values WHERE publisher = ?)`,
        to,
        from,
      );
      for (const table of ['state_values', 'state_floors']) {
        this.#database.run(`UPDATE OR REPLACE ${table} SET publisher = ? WHERE publisher = ?`, to, from);
      }
      this.#database.run('UPDATE state_values SET writer_publisher = ? WHERE writer_publisher = ?', to, from);
    });
  }

  /** The version that a deleted key had: when it comes again it goes on above, so that none is used twice. */
  #takeFloor(space: StateSpace, key: string): number {
    const row = this.#database.get<{ version: number | null }>(
      `SELECT max(version) AS version FROM state_floors WHERE ${inSpace} AND key IN (?, ?)`,
      ...placeOf(space),
      key,
      everyKey,
    );
    this.#database.run(`DELETE FROM state_floors WHERE ${inSpace} AND key = ?`, ...placeOf(space), key);
    return row?.version ?? 0;
  }

  /** Of so many deleted keys each is remembered by itself; then the highest version of all of them stands for each. */
  #setFloor(space: StateSpace, key: string, version: number): void {
    const place = placeOf(space);
    this.#database.run('INSERT OR REPLACE INTO state_floors VALUES (?, ?, ?, ?, ?)', ...place, key, version);
    const row = this.#database.get<{ count: number; highest: number }>(
      `SELECT count(*) AS count, max(version) AS highest FROM state_floors WHERE ${inSpace}`,
      ...place,
    );
    if (row === undefined || row.count <= hostLimits.stateKeysForgotten) return;
    this.#database.run(`DELETE FROM state_floors WHERE ${inSpace}`, ...place);
    this.#database.run('INSERT INTO state_floors VALUES (?, ?, ?, ?, ?)', ...place, everyKey, row.highest);
  }
}

function placeOf({ scope, owner, publisher }: StateSpace): [string, string, string] {
  return [scope, owner, publisher];
}
