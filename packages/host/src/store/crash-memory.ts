import type { Clock, Timer } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import type { CrashRecord, CrashStore } from './store.ts';

/** What one plugin remembers of its crashes. */
export interface CrashMemory {
  /** Undefined when there is nothing to remember. */
  read(): CrashRecord | undefined;
  write(record: CrashRecord | undefined): void;
}

/**
 * The crash records of all plugins of one host. A record is stored at most `hostLimits.metricsFlushMs` after it was
 * given, so that no restart waits for a disk; until then it is read from here. What the store refuses is dropped: a
 * plugin whose crashes cannot be written down is supervised all the same.
 */
export class CrashMemories {
  readonly #store: CrashStore;
  readonly #clock: Clock;
  readonly #pending = new Map<string, CrashRecord | undefined>();
  #timer: Timer | undefined;

  constructor(store: CrashStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  of(plugin: string): CrashMemory {
    return { read: () => this.read(plugin), write: (record) => this.#write(plugin, record) };
  }

  /** Throws STATE_UNREADABLE. */
  read(plugin: string): CrashRecord | undefined {
    return this.#pending.has(plugin) ? this.#pending.get(plugin) : this.#store.read(plugin);
  }

  /** The plugins that are quarantined, whether their time is over or not. Throws STATE_UNREADABLE. */
  quarantined(): ReadonlySet<string> {
    const records = new Map([...this.#store.all(), ...this.#pending]);
    return new Set([...records].flatMap(([plugin, record]) => (record?.state === 'quarantined' ? [plugin] : [])));
  }

  /** At once and for every host: an order of the user. Throws STATE_UNREADABLE. */
  forget(plugin: string): void {
    this.#pending.delete(plugin);
    this.#store.remove(plugin);
  }

  /** Stores what is not stored yet. Never throws. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    if (this.#pending.size === 0) return;
    try {
      this.#store.write(this.#pending);
    } catch {
      // The disk is full or the file is gone: others tell that.
    }
    this.#pending.clear();
  }

  #write(plugin: string, record: CrashRecord | undefined): void {
    this.#pending.set(plugin, record);
    this.#timer ??= this.#clock.after(hostLimits.metricsFlushMs, () => this.flush()).unref();
  }
}
