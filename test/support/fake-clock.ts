import { type Clock, systemClock, type Timer } from '@mmm/rpc';

interface Waiting {
  readonly dueMs: number;
  readonly order: number;
  readonly run: () => void;
}

/** A clock that stands still until a test moves it. `immediate` is real: it is order, not time. */
export class FakeClock implements Clock {
  #nowMs = 0;
  #order = 0;
  readonly #startMs: number;
  readonly #waiting = new Set<Waiting>();

  constructor(start: string = '2026-01-01T00:00:00.000Z') {
    this.#startMs = Date.parse(start);
  }

  now(): number {
    return this.#startMs + this.#nowMs;
  }

  monotonic(): number {
    return this.#nowMs;
  }

  after(ms: number, run: () => void): Timer {
    const waiting: Waiting = { dueMs: this.#nowMs + Math.max(ms, 0), order: this.#order++, run };
    this.#waiting.add(waiting);
    const timer: Timer = {
      cancel: () => void this.#waiting.delete(waiting),
      unref: () => timer,
      ref: () => timer,
    };
    return timer;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) {
        reject(signal.reason);
        return;
      }
      const onAbort = (): void => {
        timer.cancel();
        reject(signal?.reason);
      };
      const timer = this.after(ms, () => {
        signal?.removeEventListener('abort', onAbort);
        resolve();
      });
      signal?.addEventListener('abort', onAbort, { once: true });
    });
  }

  immediate(run: () => void): void {
    systemClock.immediate(run);
  }

  /** How many timers and sleeps are waiting. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Milliseconds until the next timer, or undefined when none waits. */
  get nextMs(): number | undefined {
    const next = this.#next(Number.POSITIVE_INFINITY);
    return next === undefined ? undefined : next.dueMs - this.#nowMs;
  }

  /**
   * Moves the time on, running what falls due on the way in order, each at its own moment. Between two timers the
   * promises they settled run on, so that a loop of sleeps takes all its turns. Await it.
   */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#nowMs + ms;
    await settled();
    for (let next = this.#next(untilMs); next !== undefined; next = this.#next(untilMs)) {
      this.#waiting.delete(next);
      this.#nowMs = Math.max(this.#nowMs, next.dueMs);
      next.run();
      await settled();
    }
    this.#nowMs = untilMs;
  }

  #next(untilMs: number): Waiting | undefined {
    let next: Waiting | undefined;
    for (const waiting of this.#waiting) {
      if (waiting.dueMs > untilMs) continue;
      if (
        next === undefined ||
        waiting.dueMs < next.dueMs ||
        (waiting.dueMs === next.dueMs && waiting.order < next.order)
      ) {
        next = waiting;
      }
    }
    return next;
  }
}

/** Resolves after the promises and the stream events that are due now have run. */
export async function settled(turns = 4): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise<void>((resolve) => systemClock.immediate(resolve));
}
