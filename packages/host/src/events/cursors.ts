import type { Clock, Timer } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import type { EventStore } from '../store/event-records.ts';

/** Stores where consumers are, a little later and all together: a step of each for itself would be a write an event. */
export class CursorKeeper {
  readonly #store: Pick<EventStore, 'moveCursors'>;
  readonly #clock: Clock;
  #moved = new Map<string, number>();
  #timer: Timer | undefined;

  constructor(store: Pick<EventStore, 'moveCursors'>, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  moved(consumer: string, cursor: number): void {
    this.#moved.set(consumer, cursor);
    this.#timer ??= this.#clock.after(hostLimits.eventCursorMs, () => this.flush()).unref();
  }

  /** What the store refuses is kept for the next time: a consumer that sees an event again is no loss. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    const moved = this.#moved;
    this.#moved = new Map();
    try {
      this.#store.moveCursors(moved);
    } catch {
      this.#moved = new Map([...moved, ...this.#moved]);
    }
  }

  /** What was noted of one that is gone. */
  forget(consumer: string): void {
    this.#moved.delete(consumer);
  }
}
