import type { Clock, Timer } from '@mmm/rpc';
import { hostLimits } from './limits.ts';

export interface StartGateOptions {
  /** Starts at one time. */
  readonly places: number;
  readonly clock: Clock;
  /** Longest time one start keeps its place. Default: `hostLimits.startTurnMs`. */
  readonly heldMaxMs?: number;
}

interface Waiting {
  take(): void;
}

/**
 * Lets as many plugins start at one time as the machine has cores, first come first served: more at once would only
 * make each of them later. A start is work at its beginning only, so one that does not come to its end gives its place
 * up after a moment: a plugin that is silent must not hold up the others.
 */
export class StartGate {
  readonly #clock: Clock;
  readonly #heldMaxMs: number;
  readonly #waiting = new Set<Waiting>();
  #free: number;

  constructor({ places, clock, heldMaxMs }: StartGateOptions) {
    this.#free = places;
    this.#clock = clock;
    this.#heldMaxMs = heldMaxMs ?? hostLimits.startTurnMs;
  }

  /** Starts that wait for a place. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /**
   * Resolves with what gives the place back; calling it again does nothing. Rejects with the signal's reason when that
   * aborts before there was a place.
   */
  enter(signal: AbortSignal): Promise<() => void> {
    if (signal.aborted) return Promise.reject(signal.reason);
    if (this.#free > 0) {
      this.#free -= 1;
      return Promise.resolve(this.#hold());
    }
    return new Promise((resolve, reject) => {
      const onAbort = (): void => {
        this.#waiting.delete(waiting);
        reject(signal.reason);
      };
      const waiting: Waiting = {
        take: () => {
          this.#waiting.delete(waiting);
          signal.removeEventListener('abort', onAbort);
          resolve(this.#hold());
        },
      };
      signal.addEventListener('abort', onAbort, { once: true });
      this.#waiting.add(waiting);
    });
  }

  #hold(): () => void {
    let isHeld = true;
    let overdue: Timer | undefined;
    const leave = (): void => {
      if (!isHeld) return;
      isHeld = false;
      overdue?.cancel();
      // Passed on without ever being free, so that nobody overtakes.
      const [next] = this.#waiting;
      if (next === undefined) this.#free += 1;
      else next.take();
    };
    overdue = this.#clock.after(this.#heldMaxMs, leave).unref();
    return leave;
  }
}
