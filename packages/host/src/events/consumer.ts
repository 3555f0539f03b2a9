import { MmmError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import type { EventHead } from '../store/event-records.ts';
import type { EventJournal, JournalEvent } from './journal.ts';

/** Who events are delivered to, one after the other. */
export interface EventConsumer {
  /** What its place in the journal is kept under. */
  readonly name: string;
  /** Its place outlives every process; otherwise it begins with what comes next. */
  readonly isDurable: boolean;
  wants(head: EventHead): boolean;
  /**
   * Resolves when the event is handled. Rejects when it has to be tried again; with `ConsumerAway` when nobody is there
   * to try it, which counts for nothing; with `EventUnfit` when that would not help.
   */
  handle(event: JournalEvent, signal: AbortSignal): Promise<void>;
  /** Told when an event was put by, after the last try. */
  onDead?(event: JournalEvent, error: string): void;
}

/** The consumer cannot be reached now, whatever the event is. */
export class ConsumerAway extends Error {
  override readonly name = 'ConsumerAway';
}

/** No further try can help: the event is put by at once. */
export class EventUnfit extends Error {
  override readonly name = 'EventUnfit';
}

export interface ConsumerServices {
  readonly journal: EventJournal;
  readonly clock: Clock;
  /** Where a consumer that is kept has come to. */
  moved(name: string, cursor: number): void;
  /** Puts an event by; the cursor is then behind it. Throws STATE_UNREADABLE. */
  bury(consumer: string, event: JournalEvent, tries: number, error: string): void;
}

/** Delivers to one consumer, in the order of the journal, one event at a time. Holds one event in memory. */
export class ConsumerLoop {
  readonly consumer: EventConsumer;
  readonly #services: ConsumerServices;
  readonly #ended = new AbortController();
  #cursor: number;
  #isRunning = false;
  /** Something was appended while it ran. */
  #isDue = false;
  #wake: (() => void) | undefined;
  /** Something has changed since the last try began. */
  #isHurried = false;
  /** Who waits for a place, or for this to have nobody to deliver to. */
  #waiting: { readonly seq: number; resolve(): void }[] = [];
  /** Of a poison event the tries count on when the plugin was away in between. */
  #failed = { seq: 0, tries: 0 };
  #isAway = false;
  #over: Promise<void> = Promise.resolve();

  constructor(consumer: EventConsumer, cursor: number, services: ConsumerServices) {
    this.consumer = consumer;
    this.#cursor = cursor;
    this.#services = services;
  }

  get cursor(): number {
    return this.#cursor;
  }

  /** Told of what was appended. What it does not want costs it no look at the journal. */
  appended(heads: readonly EventHead[]): void {
    const [first, last] = [heads[0], heads.at(-1)];
    if (first === undefined || last === undefined) return;
    const follows = !this.#isRunning && first.seq === this.#cursor + 1 && last.seq - first.seq === heads.length - 1;
    if (follows && !heads.some((head) => this.consumer.wants(head))) this.#moveTo(last.seq);
    else this.look();
  }

  /** Goes on from where it is, unless it does already. */
  look(): void {
    this.#isDue = true;
    if (this.#isRunning || this.#ended.signal.aborted) return;
    this.#isRunning = true;
    this.#over = this.#run();
  }

  /** Resolves when everything up to a place was handled or put by, or nobody is there to handle it. */
  async settled(seq: number): Promise<void> {
    if (this.#cursor >= seq || this.#isAway || this.#ended.signal.aborted) return;
    await new Promise<void>((resolve) => this.#waiting.push({ seq, resolve }));
  }

  /** Ends a pause: something has changed that may help. */
  hurry(): void {
    // During a try that fails all the same: the pause after it is a short one.
    this.#isHurried = true;
    this.#wake?.();
  }

  /** Resolves when nothing of it runs any more; what it was at is delivered again some time. */
  async end(): Promise<void> {
    this.#ended.abort(new Error('the delivery of events ends'));
    this.#wake?.();
    this.#settle(Number.POSITIVE_INFINITY);
    await this.#over;
  }

  async #run(): Promise<void> {
    let pauseMs: number = hostLimits.eventPauseMs;
    while (this.#isDue && !this.#ended.signal.aborted) {
      this.#isDue = false;
      this.#isHurried = false;
      try {
        if (await this.#deliverAll()) pauseMs = hostLimits.eventPauseMs;
      } catch {
        // Nobody there, or the journal cannot be read: from here on again, later.
        this.#isAway = true;
        this.#settle(Number.POSITIVE_INFINITY);
        if (this.#isHurried) pauseMs = hostLimits.eventPauseMs;
        await this.#pause(pauseMs);
        this.#isAway = false;
        pauseMs = Math.min(pauseMs * 2, hostLimits.eventPauseMaxMs);
        this.#isDue = true;
      }
    }
    // In the same step as the last look at `isDue`: what is appended from here on begins anew.
    this.#isRunning = false;
  }

  /** Everything until the end of the journal. True when it delivered something. */
  async #deliverAll(): Promise<boolean> {
    const { journal } = this.#services;
    let delivered = false;
    for (;;) {
      const heads = journal.heads(this.#cursor, hostLimits.eventScan);
      for (const head of heads) {
        if (this.#ended.signal.aborted) return delivered;
        if (this.consumer.wants(head)) {
          const event = journal.get(head.seq);
          if (event !== undefined) await this.#deliver(event);
          delivered = true;
        }
        if (this.#ended.signal.aborted) return delivered;
        this.#moveTo(head.seq);
      }
      if (heads.length < hostLimits.eventScan) return delivered;
      // A long way through what is for others must not hold up everybody else.
      await new Promise<void>((resolve) => this.#services.clock.immediate(resolve));
    }
  }

  /** Until it is handled or put by. Throws when the consumer is away or the event cannot be put by. */
  async #deliver(event: JournalEvent): Promise<void> {
    const { signal } = this.#ended;
    if (this.#failed.seq !== event.seq) this.#failed = { seq: event.seq, tries: 0 };
    for (;;) {
      try {
        await this.consumer.handle(event, signal);
        return;
      } catch (error) {
        if (signal.aborted) return;
        if (error instanceof ConsumerAway || MmmError.is(error, 'HOST_CLOSED')) throw error;
        this.#failed.tries += 1;
        const { tries } = this.#failed;
        if (tries >= hostLimits.eventTries || error instanceof EventUnfit) {
          const reason = error instanceof Error ? error.message : String(error);
          this.#services.bury(this.consumer.name, event, tries, reason);
          this.consumer.onDead?.(event, reason);
          return;
        }
        await this.#pause(hostLimits.eventBackoffMs * 2 ** (tries - 1));
        if (signal.aborted) return;
      }
    }
  }

  #settle(seq: number): void {
    if (this.#waiting.length === 0) return;
    for (const waiting of this.#waiting) if (waiting.seq <= seq) waiting.resolve();
    this.#waiting = this.#waiting.filter((waiting) => waiting.seq > seq);
  }

  #moveTo(seq: number): void {
    this.#cursor = seq;
    this.#settle(seq);
    if (this.consumer.isDurable) this.#services.moved(this.consumer.name, seq);
  }

  /** Keeps no program alive. */
  #pause(ms: number): Promise<void> {
    if (this.#ended.signal.aborted) return Promise.resolve();
    return new Promise((resolve) => {
      const over = (): void => {
        timer.cancel();
        this.#wake = undefined;
        resolve();
      };
      const timer = this.#services.clock.after(ms, over).unref();
      this.#wake = over;
    });
  }
}
