import type { Clock, Timer } from '@mmm/rpc';

export interface IdleWatchOptions {
  readonly clock: Clock;
  /** Infinity: never. */
  readonly idleMs: number;
  /** Calls are under way. */
  isBusy(): boolean;
  /** No call for `idleMs`. */
  onIdle(): void;
}

/** Notices that a plugin was not called for a while. One timer, and one look at the clock for each call. */
export class IdleWatch {
  readonly #options: IdleWatchOptions;
  #usedAtMs: number;
  #timer: Timer | undefined;

  /** From here on. Must be ended. */
  constructor(options: IdleWatchOptions) {
    this.#options = options;
    this.#usedAtMs = options.clock.monotonic();
    if (Number.isFinite(options.idleMs)) this.#lookAfter(options.idleMs);
  }

  /** A call begins or ends. */
  used(): void {
    this.#usedAtMs = this.#options.clock.monotonic();
  }

  end(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  #lookAfter(ms: number): void {
    this.#timer = this.#options.clock.after(ms, () => this.#look()).unref();
  }

  #look(): void {
    const { clock, idleMs, isBusy, onIdle } = this.#options;
    if (isBusy()) this.used();
    const leftMs = this.#usedAtMs + idleMs - clock.monotonic();
    if (leftMs > 0) this.#lookAfter(leftMs);
    else onIdle();
  }
}
