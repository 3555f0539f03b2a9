import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import type { EventStore } from '../store/event-records.ts';

/** How long events are kept. */
export interface Retention {
  readonly days: number;
  readonly unhandledDays: number;
  readonly journalBytes: number;
}

const dayMs = 24 * 60 * 60_000;

/**
 * Drops what is too old: events that every consumer has handled after `days`, others after `unhandledDays`, and the
 * oldest whatever they are while the journal is larger than `journalBytes`. True when there may be more to drop.
 */
export function dropOldEvents(store: EventStore, retention: Retention, nowMs: number): boolean {
  const limit = hostLimits.eventsDropped;
  const { events, bytes } = store.size();
  if (events === 0) return false;
  if (bytes > retention.journalBytes) {
    store.drop(store.head(), Number.MAX_SAFE_INTEGER, limit);
    return store.size().bytes > retention.journalBytes;
  }
  const handled = Math.min(store.head(), ...store.consumers().map(({ cursor }) => cursor));
  const dropped =
    store.drop(handled, nowMs - retention.days * dayMs, limit) +
    store.drop(store.head(), nowMs - Math.max(retention.days, retention.unhandledDays) * dayMs, limit);
  return dropped >= limit;
}

/** Sweeps now and then while events are appended, a little at a time. */
export class Sweeper {
  readonly #store: EventStore;
  readonly #retention: () => Retention;
  readonly #clock: Clock;
  #appended = 0;
  #sweptAtMs = Number.NEGATIVE_INFINITY;
  #isSweeping = false;
  #isClosed = false;

  constructor(store: EventStore, retention: () => Retention, clock: Clock) {
    this.#store = store;
    this.#retention = retention;
    this.#clock = clock;
  }

  /** Told of everything that is appended. */
  appended(events: number): void {
    this.#appended += events;
    const isDue =
      this.#appended >= hostLimits.eventsPerSweep ||
      this.#clock.monotonic() - this.#sweptAtMs >= hostLimits.eventSweepMs;
    if (!isDue || this.#isSweeping) return;
    this.#isSweeping = true;
    this.#clock.immediate(() => this.#sweep());
  }

  close(): void {
    this.#isClosed = true;
  }

  #sweep(): void {
    if (this.#isClosed) return;
    let goesOn = false;
    try {
      goesOn = dropOldEvents(this.#store, this.#retention(), this.#clock.now());
    } catch {
      // Another process writes, or the disk fails: the next time.
    }
    if (goesOn) {
      this.#clock.immediate(() => this.#sweep());
      return;
    }
    this.#appended = 0;
    this.#sweptAtMs = this.#clock.monotonic();
    this.#isSweeping = false;
  }
}
