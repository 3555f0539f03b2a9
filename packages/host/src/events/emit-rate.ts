import type { Clock } from '@mmm/rpc';

/** A bucket that holds one second's worth of events: a burst of that passes at once. */
export class EmitRate {
  readonly #perSecond: number;
  readonly #clock: Pick<Clock, 'monotonic'>;
  #left: number;
  #filledAtMs: number;

  constructor(perSecond: number, clock: Pick<Clock, 'monotonic'>) {
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#left = perSecond;
    this.#filledAtMs = clock.monotonic();
  }

  /** True when one more is within the rate. */
  take(): boolean {
    const nowMs = this.#clock.monotonic();
    const more = ((nowMs - this.#filledAtMs) / 1000) * this.#perSecond;
    this.#left = Math.min(this.#perSecond, this.#left + more);
    this.#filledAtMs = nowMs;
    if (this.#left < 1) return false;
    this.#left -= 1;
    return true;
  }
}
