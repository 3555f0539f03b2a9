import type { Clock, Timer } from '@mmm/rpc';

/** What runs and rests on something that may be taken away, looked at again and again for as long as there is any. */
export class WatchedRuns<Run> implements Iterable<Run> {
  readonly #runs = new Set<Run>();
  readonly #clock: Pick<Clock, 'after'>;
  readonly #pollMs: number;
  readonly #look: () => void;
  #timer: Timer | undefined;

  constructor(options: { readonly clock: Pick<Clock, 'after'>; readonly pollMs: number; look(): void }) {
    this.#clock = options.clock;
    this.#pollMs = options.pollMs;
    this.#look = () => options.look();
  }

  /** Adds one until the returned function is called or it is taken. */
  add(run: Run): () => void {
    this.#runs.add(run);
    this.#poll();
    return () => {
      this.#runs.delete(run);
      if (this.#runs.size > 0) return;
      this.#timer?.cancel();
      this.#timer = undefined;
    };
  }

  /** Takes one away, to end it. False when it is gone already: each is ended at most once. */
  take(run: Run): boolean {
    return this.#runs.delete(run);
  }

  /** Those there are now: what ends meanwhile is still among them. */
  [Symbol.iterator](): IterableIterator<Run> {
    return [...this.#runs].values();
  }

  #poll(): void {
    this.#timer ??= this.#clock
      .after(this.#pollMs, () => {
        this.#timer = undefined;
        this.#look();
        if (this.#runs.size > 0) this.#poll();
      })
      .unref();
  }
}
