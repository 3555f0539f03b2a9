import { MmmError } from '@mmm/protocol';
import { type Clock, TokenBucket } from '@mmm/rpc';

/** How many calls a second one plugin takes: a bucket that holds one second's worth, so that a burst of that passes. */
export class CallRate {
  readonly #plugin: string;
  readonly #callsPerSecond: number;
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #bucket: TokenBucket;

  constructor(plugin: string, callsPerSecond: number, clock: Pick<Clock, 'monotonic'>) {
    this.#plugin = plugin;
    this.#callsPerSecond = callsPerSecond;
    this.#clock = clock;
    // Below one a second the bucket still has to hold a whole call.
    this.#bucket = new TokenBucket(callsPerSecond, clock.monotonic(), Math.max(1, callsPerSecond));
  }

  /** Takes account of one call. Throws RATE_LIMITED, with the time after which the next one is taken. */
  take(): void {
    const waitMs = this.#bucket.waitMs(1, this.#clock.monotonic());
    if (waitMs > 0) throw this.#limited(Math.ceil(waitMs));
    this.#bucket.spend(1);
  }

  #limited(retryAfterMs: number): MmmError<'RATE_LIMITED'> {
    const callsPerSecond = this.#callsPerSecond;
    const sentence =
      `${this.#plugin} takes ${callsPerSecond} calls a second (calls_per_second), and this one is more. ` +
      `Try again in ${retryAfterMs} ms.`;
    return new MmmError('RATE_LIMITED', sentence, { plugin: this.#plugin, callsPerSecond, retryAfterMs });
  }
}
