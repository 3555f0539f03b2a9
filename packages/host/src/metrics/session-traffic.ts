import type { ConnectionCounters } from '@mmm/rpc';
import type { CounterName } from '../store/store.ts';

type Taken = readonly (readonly [CounterName, number])[];

/**
 * What one session counts on its pipes, taken piece by piece. Counting itself costs a call nothing more than that: the
 * connection counts anyway, and is asked only when somebody wants to know.
 */
export class SessionTraffic {
  readonly #counters: Readonly<ConnectionCounters>;
  #taken = new Map<CounterName, number>();

  constructor(counters: Readonly<ConnectionCounters>) {
    this.#counters = counters;
  }

  /** What came since the last time, without what did not change. */
  take(): Taken {
    const now = this.#now();
    const more = now
      .map(([name, count]) => [name, count - (this.#taken.get(name) ?? 0)] as const)
      .filter(([, count]) => count > 0);
    this.#taken = new Map(now);
    return more;
  }

  #now(): Taken {
    const { bytesIn, bytesOut, messagesIn, messagesOut, dropped, faults } = this.#counters;
    return [
      ['bytesIn', bytesIn],
      ['bytesOut', bytesOut],
      ['messagesIn', messagesIn],
      ['messagesOut', messagesOut],
      ['notificationsDropped', dropped],
      ['answersDropped', faults.unknown_id + faults.late_reply + faults.duplicate_reply],
    ];
  }
}
