import type { Clock, Timer } from '@mmm/rpc';

/** Who ended a wait. */
export type WaitEnd = 'deadline' | 'caller' | undefined;

/**
 * The time a caller gives a call before it is written: aborts its signal when the caller's does, or when the caller's
 * own deadline passes. Nothing is made when there is neither. `end` must be called.
 */
export class CallerDeadline {
  readonly #clock: Clock;
  readonly #startMs: number;
  readonly #timeoutMs: number | undefined;
  readonly #caller: AbortSignal | undefined;
  readonly #abort: AbortController | undefined;
  readonly #timer: Timer | undefined;
  readonly #onAbort = (): void => this.#stop('caller');
  #endedBy: WaitEnd;

  constructor(clock: Clock, timeoutMs: number | undefined, caller: AbortSignal | undefined) {
    this.#clock = clock;
    this.#startMs = clock.monotonic();
    this.#timeoutMs = timeoutMs;
    this.#caller = caller;
    if (caller?.aborted) this.#endedBy = 'caller';
    if (timeoutMs === undefined) return;
    this.#abort = new AbortController();
    this.#timer = clock.after(timeoutMs, () => this.#stop('deadline'));
    caller?.addEventListener('abort', this.#onAbort);
  }

  /** For waits; without a deadline it is the caller's own. */
  get signal(): AbortSignal | undefined {
    return this.#abort?.signal ?? this.#caller;
  }

  get endedBy(): WaitEnd {
    if (this.#endedBy !== undefined) return this.#endedBy;
    if (this.#caller?.aborted) return 'caller';
    // A real timer may fire a fraction of a millisecond early, and another wait may have had the same deadline.
    return this.leftMs < 1 ? 'deadline' : undefined;
  }

  get elapsedMs(): number {
    return this.#clock.monotonic() - this.#startMs;
  }

  /** Infinity without a deadline. */
  get leftMs(): number {
    return this.#timeoutMs === undefined ? Number.POSITIVE_INFINITY : this.#timeoutMs - this.elapsedMs;
  }

  end(): void {
    this.#timer?.cancel();
    this.#caller?.removeEventListener('abort', this.#onAbort);
  }

  #stop(by: WaitEnd): void {
    this.#endedBy ??= by;
    this.#abort?.abort(new Error(by === 'deadline' ? 'the deadline has passed' : 'the caller gave up'));
  }
}
