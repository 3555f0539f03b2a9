import type { Clock } from '@mmm/rpc';
import { hostLimits } from './limits.ts';
import type { Store } from './store/store.ts';
import { WatchedRuns } from './watched-runs.ts';

/** One running plugin and what it rests on. */
export interface GrantedRun {
  /** The name its decisions are kept under, and whom they were made for. */
  readonly recordId: string;
  readonly publisher: string;
  /** The stored grants it was started with. */
  readonly stored: readonly string[];
  /** Runs although it is not enabled in this place: a project's plugin until it is. */
  readonly enabledByDefault: boolean;
  /** Called at most once. */
  stop(reason: string): void;
}

export interface GrantWatchParts {
  readonly store: Pick<Store, 'grants' | 'plugins' | 'revision'>;
  readonly clock: Pick<Clock, 'after'>;
  /** Told that another process changed the state file. */
  onChanged?(): void;
}

/**
 * Stops a plugin whose grants another process took away, or that it disabled: the state file is looked at every
 * `hostLimits.decisionPollMs` for as long as anything runs. What this process decides takes effect without it.
 */
export class GrantWatch {
  readonly #parts: GrantWatchParts;
  readonly #runs: WatchedRuns<GrantedRun>;
  #revision: number;

  constructor(parts: GrantWatchParts) {
    this.#parts = parts;
    this.#revision = parts.store.revision();
    this.#runs = new WatchedRuns({ clock: parts.clock, pollMs: hostLimits.decisionPollMs, look: () => this.#look() });
  }

  /** Watches one run until the returned function is called. What was taken away since it was permitted stops it now. */
  watch(run: GrantedRun): () => void {
    const end = this.#runs.add(run);
    this.#check(run);
    return end;
  }

  #look(): void {
    try {
      const revision = this.#parts.store.revision();
      if (revision === this.#revision) return;
      this.#revision = revision;
      for (const run of this.#runs) this.#check(run);
      this.#parts.onChanged?.();
    } catch {
      // A state file that cannot be read permits no new start, and says nothing new about what runs.
    }
  }

  #check(run: GrantedRun): void {
    const { store } = this.#parts;
    const granted = new Set(store.grants.list(run.recordId, run.publisher).map(({ key }) => key));
    const isEnabled = store.plugins.get(run.recordId)?.enabled ?? run.enabledByDefault;
    const isRevoked = run.stored.some((key) => !granted.has(key));
    if (isEnabled && !isRevoked) return;
    if (this.#runs.take(run)) run.stop(isRevoked ? 'its permissions changed' : 'disabled');
  }
}
