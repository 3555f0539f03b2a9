import { hostLimits } from '../limits.ts';

/** What one poll brought. */
export interface PollOutcome {
  /** Events in the answer. */
  readonly asked: number;
  /** Of them, those that the journal did not hold. */
  readonly added: number;
  readonly tookMs: number;
}

/**
 * How long to wait before the next poll of one plugin. A plugin that holds a poll until something happens is asked
 * again at once; one that answers at once with nothing, or with what was there already, less and less often; and one
 * that floods as fast as `hostLimits.triggerEventsPerSecond` allows. What it has not been asked for stays with it.
 */
export class PollPace {
  #emptyMs = 0;
  /** Time that its events so far have used up beyond what has passed. */
  #debtMs = 0;

  pauseMs({ asked, added, tookMs }: PollOutcome): number {
    const { pollPauseMinMs, pollPauseMaxMs, triggerEventsPerSecond, triggerBurst } = hostLimits;
    this.#debtMs = Math.max(0, this.#debtMs - tookMs) + (asked * 1000) / triggerEventsPerSecond;
    if (added > 0) {
      this.#emptyMs = 0;
      const freeMs = (triggerBurst * 1000) / triggerEventsPerSecond;
      const pauseMs = Math.max(0, this.#debtMs - freeMs);
      this.#debtMs -= pauseMs;
      return pauseMs;
    }
    // It waited for something to happen, as it was asked to.
    if (asked === 0 && tookMs >= pollPauseMaxMs) {
      this.#emptyMs = 0;
      return 0;
    }
    this.#emptyMs = Math.min(Math.max(pollPauseMinMs, this.#emptyMs * 2), pollPauseMaxMs);
    return this.#emptyMs;
  }
}
