import { type Clock, systemClock } from '@mmm/rpc';

/** The system's clock, which can be told that more time has passed: nobody wants to wait out a quarantine. */
export class ShiftedClock implements Clock {
  #aheadMs = 0;

  /** Lets this much time have passed. Timers that are waiting run when they would have run anyway. */
  pass(ms: number): void {
    this.#aheadMs += ms;
  }

  now(): number {
    return systemClock.now() + this.#aheadMs;
  }

  monotonic(): number {
    return systemClock.monotonic() + this.#aheadMs;
  }

  after: Clock['after'] = (ms, run) => systemClock.after(ms, run);
  sleep: Clock['sleep'] = (ms, signal) => systemClock.sleep(ms, signal);
  immediate: Clock['immediate'] = (run) => systemClock.immediate(run);
}
