/**
 * A rate with room for bursts: `perSecond` tokens a second, at most `most` of them at a time, full at first. Time is
 * given by the caller, in milliseconds of a monotonic clock.
 */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #most: number;
  #left: number;
  #refilledAtMs: number;

  /** Without `most` it holds one second's worth. */
  constructor(perSecond: number, nowMs: number, most = perSecond) {
    this.#perSecond = perSecond;
    this.#most = most;
    this.#left = most;
    this.#refilledAtMs = nowMs;
  }

  /** What is there now; below zero after more was spent than there was. */
  leftAt(nowMs: number): number {
    const refilled = ((nowMs - this.#refilledAtMs) / 1000) * this.#perSecond;
    this.#left = Math.min(this.#most, this.#left + refilled);
    this.#refilledAtMs = nowMs;
    return this.#left;
  }

  /** Takes what was used already, also more than there is. */
  spend(tokens: number): void {
    this.#left -= tokens;
  }

  /** How long until there are so many; 0 when there are. */
  waitMs(tokens: number, nowMs: number): number {
    return (Math.max(0, tokens - this.leftAt(nowMs)) / this.#perSecond) * 1000;
  }
}
