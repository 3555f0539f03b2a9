import type { Clock, Timer } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import type { PermissionUseStore, UseDelta } from '../store/consent.ts';

type Counted = { -readonly [K in keyof UseDelta]: UseDelta[K] };

/**
 * Counts what plugins used of their permissions, as far as the host sees it, and stores it every
 * `hostLimits.metricsFlushMs`. Of one plugin at most `hostLimits.usesCounted` keys are kept at a time: what it asks for
 * in vain is its own choice of words.
 */
export class UseRecorder {
  readonly #store: PermissionUseStore;
  readonly #clock: Pick<Clock, 'now' | 'after'>;
  readonly #counted = new Map<string, Map<string, Counted>>();
  #timer: Timer | undefined;

  constructor(store: PermissionUseStore, clock: Pick<Clock, 'now' | 'after'>) {
    this.#store = store;
    this.#clock = clock;
  }

  used(plugin: string, key: string): void {
    const row = this.#row(plugin, key);
    if (row === undefined) return;
    row.uses += 1;
    row.lastUsedMs = this.#clock.now();
  }

  denied(plugin: string, key: string): void {
    const row = this.#row(plugin, key);
    if (row === undefined) return;
    row.denials += 1;
    row.lastDeniedMs = this.#clock.now();
  }

  /** Counts nothing more of a plugin that is removed. */
  forget(plugin: string): void {
    this.#counted.delete(plugin);
  }

  /** Stores what was counted. What cannot be stored is kept for the next time. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const [plugin, rows] of [...this.#counted]) {
      try {
        this.#store.add(plugin, [...rows.values()]);
        this.#counted.delete(plugin);
      } catch {
        // A state file that cannot be written loses no more than these counts.
      }
    }
  }

  #row(plugin: string, key: string): Counted | undefined {
    let rows = this.#counted.get(plugin);
    if (rows === undefined) {
      rows = new Map();
      this.#counted.set(plugin, rows);
    }
    let row = rows.get(key);
    if (row === undefined) {
      if (rows.size >= hostLimits.usesCounted) return undefined;
      row = { key, uses: 0, lastUsedMs: null, denials: 0, lastDeniedMs: null };
      rows.set(key, row);
    }
    this.#timer ??= this.#clock.after(hostLimits.metricsFlushMs, () => this.flush()).unref();
    return row;
  }
}
