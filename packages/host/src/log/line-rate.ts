import type { Clock } from '@mmm/rpc';

/** A token bucket that holds one second's lines: a burst of that many is kept whole. */
export class LineRate {
  readonly linesPerSecond: number;
  readonly #clock: Clock;
  #tokens: number;
  #refilledAtMs: number;

  constructor(linesPerSecond: number, clock: Clock) {
    this.linesPerSecond = linesPerSecond;
    this.#clock = clock;
    this.#tokens = linesPerSecond;
    this.#refilledAtMs = clock.monotonic();
  }

  /** True when one more line is within the rate. Cheap: a flood asks it for every line. */
  take(): boolean {
    const nowMs = this.#clock.monotonic();
    const gained = ((nowMs - this.#refilledAtMs) / 1000) * this.linesPerSecond;
    this.#tokens = Math.min(this.linesPerSecond, this.#tokens + gained);
    this.#refilledAtMs = nowMs;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
