import type { Clock, Timer } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import type { EventHead, EventStore } from '../store/event-records.ts';
import { FileLock } from '../store/file-lock.ts';
import { ConsumerLoop, type ConsumerServices, type EventConsumer } from './consumer.ts';
import { CursorKeeper } from './cursors.ts';
import type { EventJournal, JournalEvent } from './journal.ts';

export interface DispatcherOptions {
  readonly journal: EventJournal;
  readonly store: EventStore;
  readonly clock: Clock;
  /** Of the hosts of a home, the one that holds it delivers to consumers that are kept. */
  readonly lockFile: string;
}

/**
 * Delivers the journal to its consumers. Those that are kept are served by one host of a home at a time, so that their
 * order holds; the next one takes over as soon as that one is gone. Does nothing before `wake`.
 */
export class EventDispatcher {
  readonly #options: DispatcherOptions;
  readonly #cursors: CursorKeeper;
  readonly #services: ConsumerServices;
  readonly #consumers = new Set<EventConsumer>();
  readonly #loops = new Map<EventConsumer, ConsumerLoop>();
  readonly #ending = new Set<Promise<void>>();
  #lock: FileLock | undefined;
  #timer: Timer | undefined;
  #state: 'asleep' | 'awake' | 'closed' = 'asleep';
  /** The newest place that the loops were told of. */
  #seen = 0;

  constructor(options: DispatcherOptions) {
    this.#options = options;
    const { journal, store, clock } = options;
    this.#cursors = new CursorKeeper(store, clock);
    this.#services = {
      ...{ journal, clock },
      moved: (name, cursor) => this.#cursors.moved(name, cursor),
      bury: (consumer, event, tries, error) => this.#bury(consumer, event, tries, error),
    };
    journal.onAppended((heads) => this.#appended(heads));
  }

  /** This host delivers to the consumers that are kept. */
  get isDelivering(): boolean {
    return this.#lock !== undefined;
  }

  /**
   * Serves a consumer until the returned function is called, which resolves when nothing is delivered to it any more.
   * One that is kept goes on where it was; seen for the first time it begins with what comes next.
   */
  add(consumer: EventConsumer): () => Promise<void> {
    this.#consumers.add(consumer);
    if (consumer.isDurable) this.#open(consumer.name);
    this.#serve();
    return async () => {
      this.#consumers.delete(consumer);
      const loop = this.#loops.get(consumer);
      this.#loops.delete(consumer);
      if (loop === undefined) return;
      const ended = loop.end().finally(() => this.#ending.delete(ended));
      this.#ending.add(ended);
      await ended;
    };
  }

  /** From here on everything that is not delivered yet is, also what is still there from earlier hosts. */
  wake(): void {
    if (this.#state !== 'asleep') return;
    this.#state = 'awake';
    this.#seen = this.#options.journal.head();
    this.#serve();
    this.#watch();
  }

  /** Resolves when every consumer that is served here is past this place, or waits for somebody who is away. */
  async settled(seq: number): Promise<void> {
    // Pauses keep no program alive; who waits for their end is alive.
    const alive = this.#options.clock.after(Number.POSITIVE_INFINITY, () => undefined);
    try {
      await Promise.all([...this.#loops.values()].map((loop) => loop.settled(seq)));
    } finally {
      alive.cancel();
    }
  }

  /** Where a consumer is, which is stored a little later. */
  cursorOf(consumer: string, stored: number): number {
    for (const loop of this.#loops.values()) if (loop.consumer.name === consumer) return Math.max(loop.cursor, stored);
    return stored;
  }

  /** Forgets a consumer that is gone, and what was put by for it. */
  forget(name: string): void {
    this.#cursors.forget(name);
    try {
      this.#options.store.removeConsumer(name);
    } catch {
      // What stays of it is dropped by age.
    }
  }

  /** Pauses of consumers that were away end now: what kept them may be over. */
  hurry(name?: string): void {
    for (const loop of this.#loops.values()) if (name === undefined || loop.consumer.name === name) loop.hurry();
  }

  /** What is at a consumer now is waited for no longer, and is delivered again by the next host. */
  async close(): Promise<void> {
    this.#state = 'closed';
    this.#timer?.cancel();
    await Promise.all([...[...this.#loops.values()].map((loop) => loop.end()), ...this.#ending]);
    this.#loops.clear();
    this.#cursors.flush();
    this.#lock?.release();
    this.#lock = undefined;
  }

  #appended(heads: readonly EventHead[]): void {
    const last = heads.at(-1);
    if (this.#state !== 'awake' || last === undefined) return;
    this.#seen = Math.max(this.#seen, last.seq);
    for (const loop of this.#loops.values()) loop.appended(heads);
  }

  /** Begins with the consumers that are not served yet and may be. */
  #serve(): void {
    if (this.#state !== 'awake' || this.#consumers.size === 0) return;
    const takesOver = this.#lock === undefined && this.#takeLock();
    for (const consumer of this.#consumers) {
      if (this.#loops.has(consumer) || (consumer.isDurable && this.#lock === undefined)) continue;
      const cursor = consumer.isDurable ? this.#open(consumer.name) : this.#options.journal.head();
      if (cursor === undefined) continue;
      const loop = new ConsumerLoop(consumer, cursor, this.#services);
      this.#loops.set(consumer, loop);
      if (consumer.isDurable || takesOver) loop.look();
    }
  }

  #takeLock(): boolean {
    if (![...this.#consumers].some(({ isDurable }) => isDurable)) return false;
    try {
      this.#lock = FileLock.take(this.#options.lockFile);
    } catch {
      // A disk that fails: the next look tries again.
    }
    return this.#lock !== undefined;
  }

  /** What others append shows in the journal only; and whoever delivers may end at any time. */
  #watch(): void {
    this.#timer = this.#options.clock
      .after(hostLimits.eventPollMs, () => {
        if (this.#state !== 'awake') return;
        this.#serve();
        this.#look();
        this.#watch();
      })
      .unref();
  }

  #look(): void {
    try {
      const head = this.#options.journal.head();
      if (head <= this.#seen) return;
      this.#seen = head;
      for (const loop of this.#loops.values()) loop.look();
    } catch {
      // The state file is gone or fails: whoever writes says so.
    }
  }

  /** Undefined when the journal fails; the next look tries again. */
  #open(name: string): number | undefined {
    try {
      return this.#options.store.openConsumer(name).cursor;
    } catch {
      return undefined;
    }
  }

  #bury(consumer: string, event: JournalEvent, tries: number, error: string): void {
    const { id: eventId, type, source, depth, seq } = event;
    const letter = {
      ...{ consumer, eventId, type, source, depth, tries },
      error: error.slice(0, hostLimits.deadLetterErrorChars),
      atMs: Date.parse(event.timestamp),
      data: JSON.stringify(event.data),
      failedAtMs: this.#options.clock.now(),
    };
    this.#options.store.bury(letter, seq, hostLimits.deadLetters);
  }
}
