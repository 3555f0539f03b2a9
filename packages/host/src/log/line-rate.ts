import type { Clock } from '@mmm/rpc';

export interface LogRate {
  readonly linesPerSecond: number;
  readonly bytesPerSecond: number;
}

/** Two token buckets, for lines and for their bytes, that hold one second's worth: a burst of that is kept whole. */
export class LineRate {
  readonly #rate: LogRate;
  readonly #clock: Clock;
  #lines: number;
  /** Below zero after a line that was longer than what was left. */
  #bytes: number;
  #refilledAtMs: number;

  constructor(rate: LogRate, clock: Clock) {
    this.#rate = rate;
    this.#clock = clock;
    this.#lines = rate.linesPerSecond;
    this.#bytes = rate.bytesPerSecond;
    this.#refilledAtMs = clock.monotonic();
  }

  /** True when one more line is within the rate. Cheap: a flood asks it for every line. */
  take(): boolean {
    const nowMs = this.#clock.monotonic();
    const seconds = (nowMs - this.#refilledAtMs) / 1000;
    const { linesPerSecond, bytesPerSecond } = this.#rate;
    this.#lines = Math.min(linesPerSecond, this.#lines + seconds * linesPerSecond);
    this.#bytes = Math.min(bytesPerSecond, this.#bytes + seconds * bytesPerSecond);
    this.#refilledAtMs = nowMs;
    if (this.#lines < 1 || this.#bytes <= 0) return false;
    this.#lines -= 1;
    return true;
  }

  /** Takes account of the size of a line that was taken, in bytes. */
  spend(bytes: number): void {
    this.#bytes -= bytes;
  }
}
