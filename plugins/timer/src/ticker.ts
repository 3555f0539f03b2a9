import type { Schedule } from './schedule.ts';

/** What becomes of ticks whose moment passed while nothing ran: none, one for all of them, or each. */
export type Missed = 'skip' | 'once' | 'all';

export interface Tick {
  readonly scheduledMs: number;
  /** Earlier moments that this tick stands for as well. */
  readonly missed: number;
}

/** Where the plugin reads the time, in epoch milliseconds, and waits. */
export interface Times {
  now(): number;
  /** Calls back once. Returns what calls it off. */
  after(ms: number, run: () => void): () => void;
}

export interface TickerOptions {
  readonly schedule: Schedule;
  readonly missed: Missed;
  /** The last moment that was told, by an earlier life of the plugin; undefined for none. */
  readonly lastMs: number | undefined;
  readonly times: Times;
  /** The next tick waits until it resolves. */
  tick(tick: Tick): Promise<void>;
  /** Told when a tick could not be told. */
  failed(error: unknown): void;
}

/** A wall clock may be set and a machine may sleep: it is looked at this often at the latest. */
const longestWaitMs = 30_000;
/** A tick this late still is the one that was waited for, and not one that was missed. */
const punctualMs = 5_000;
/** Missed moments that are told one by one, or counted; of more only the newest is told. */
const missedMax = 1_000;

/** Ticks at the moments of a schedule until it is stopped. One tick at a time; none is told twice. */
export class Ticker {
  readonly #options: TickerOptions;
  #lastMs: number;
  #cancel: () => void = () => undefined;
  #stopped = false;

  constructor(options: TickerOptions) {
    this.#options = options;
    const nowMs = options.times.now();
    // A moment in the future was told by a clock that was wrong.
    this.#lastMs = options.lastMs === undefined || options.lastMs > nowMs ? nowMs : options.lastMs;
    this.#turn();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancel();
  }

  #turn(): void {
    this.#tell().then(
      () => this.#wait(),
      (error: unknown) => {
        if (this.#stopped) return;
        this.#options.failed(error);
        this.#wait();
      },
    );
  }

  #wait(): void {
    if (this.#stopped) return;
    const nowMs = this.#options.times.now();
    const nextMs = this.#options.schedule.next(this.#lastMs);
    if (nextMs === undefined) return;
    // Rounded up: a timer that fires before its moment would only wait again.
    const waitMs = Math.min(Math.max(Math.ceil(nextMs - nowMs), 1), longestWaitMs);
    this.#cancel = this.#options.times.after(waitMs, () => this.#turn());
  }

  async #tell(): Promise<void> {
    const { missed, times } = this.#options;
    const nowMs = times.now();
    // What is later than this was missed.
    const punctualFromMs = nowMs - punctualMs;
    if (missed === 'skip') this.#lastMs = Math.max(this.#lastMs, punctualFromMs - 1);
    const due = this.#due(nowMs);
    if (missed !== 'once') {
      for (const momentMs of due) await this.#tick(momentMs, 0);
      return;
    }
    const late = due.filter((momentMs) => momentMs < punctualFromMs);
    // The first one in time stands for all that are late; without one the newest of those does.
    const told = due.length > late.length ? due.slice(late.length) : late.slice(-1);
    const stoodFor = due.length - told.length;
    for (const [index, momentMs] of told.entries()) await this.#tick(momentMs, index === 0 ? stoodFor : 0);
  }

  async #tick(scheduledMs: number, missed: number): Promise<void> {
    if (this.#stopped) return;
    await this.#options.tick({ scheduledMs, missed });
    this.#lastMs = scheduledMs;
  }

  /** Moments that have come since the last one that was told; only the newest when they are too many. */
  #due(nowMs: number): number[] {
    const { schedule } = this.#options;
    const due: number[] = [];
    for (let momentMs = schedule.next(this.#lastMs); momentMs !== undefined && momentMs <= nowMs; ) {
      if (due.length === missedMax) return [schedule.last(nowMs) ?? momentMs];
      due.push(momentMs);
      momentMs = schedule.next(momentMs);
    }
    return due;
  }
}
