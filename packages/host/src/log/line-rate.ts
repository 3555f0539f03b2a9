import { type Clock, TokenBucket } from '@mmm/rpc';

export interface LogRate {
  readonly linesPerSecond: number;
  readonly bytesPerSecond: number;
}

/** Two token buckets, for lines and for their bytes, that hold one second's worth: a burst of that is kept whole. */
export class LineRate {
  readonly #clock: Clock;
  readonly #lines: TokenBucket;
  /** Below zero after a line that was longer than what was left. */
  readonly #bytes: TokenBucket;

  constructor({ linesPerSecond, bytesPerSecond }: LogRate, clock: Clock) {
    this.#clock = clock;
    this.#lines = new TokenBucket(linesPerSecond, clock.monotonic());
    this.#bytes = new TokenBucket(bytesPerSecond, clock.monotonic());
  }

  /** True when one more line is within the rate. Cheap: a flood asks it for every line. */
  take(): boolean {
    const nowMs = this.#clock.monotonic();
    if (this.#lines.leftAt(nowMs) < 1 || this.#bytes.leftAt(nowMs) <= 0) return false;
    this.#lines.spend(1);
    return true;
  }

  /** Takes account of the size of a line that was taken, in bytes. */
  spend(bytes: number): void {
    this.#bytes.spend(bytes);
  }
}
