import { MmmError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';

/** How many calls a second one plugin takes: a bucket that holds one second's worth, so that a burst of that passes. */
export class CallRate {
  readonly #plugin: string;
  readonly #callsPerSecond: number;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #most: number;
  #left: number;
  #refilledAtMs: number;

  constructor(plugin: string, callsPerSecond: number, clock: Pick<Clock, 'monotonic'>) {
    this.#plugin = plugin;
    this.#callsPerSecond = callsPerSecond;
    this.#clock = clock;
    // Below one a second the bucket still has to hold a whole call.
    this.#most = Math.max(1, callsPerSecond);
    this.#left = this.#most;
    this.#refilledAtMs = clock.monotonic();
  }

  /** Takes account of one call. Throws RATE_LIMITED, with the time after which the next one is taken. */
  take(): void {
    const nowMs = this.#clock.monotonic();
    const refilled = ((nowMs - this.#refilledAtMs) / 1000) * this.#callsPerSecond;
    this.#left = Math.min(this.#most, this.#left + refilled);
    this.#refilledAtMs = nowMs;
    if (this.#left < 1) throw this.#limited();
    this.#left -= 1;
  }

  #limited(): MmmError<'RATE_LIMITED'> {
    const callsPerSecond = this.#callsPerSecond;
    const retryAfterMs = Math.ceil(((1 - this.#left) / callsPerSecond) * 1000);
    const sentence =
      `${this.#plugin} takes ${callsPerSecond} calls a second (calls_per_second), and this one is more. ` +
      `Try again in ${retryAfterMs} ms.`;
    return new MmmError('RATE_LIMITED', sentence, { plugin: this.#plugin, callsPerSecond, retryAfterMs });
  }
}
