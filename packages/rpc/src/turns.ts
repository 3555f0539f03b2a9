import type { Clock } from './clock.ts';

/** Longest work of one peer in a row while no other wants anything: everything else still gets its turn. */
const aloneMs = 8;
/** The same while others do: an answer of theirs waits no longer than that, whatever comes from the one. */
const sharedMs = 0.06;
/** Who did something in this time wants something still: whoever waits longer does not notice one turn. */
const recentMs = 100;
/** Work in a row, with never an end of it and without one answer among it, from which on it is a flood. */
const floodMs = 2;
/**
 * A flood gets this share of the time while answers of others are waited for: of a hundred calls beside it, three may
 * meet one of its turns, which are short. What it brings is thrown away for the most part.
 */
const floodShare = 0.03;
/** Longest pause of a flood: a single huge message may have taken long. */
const restMaxMs = 1_000;

/**
 * Shares one event loop between everybody who reads from plugins, in turns: what a peer sends is handled for a moment,
 * then everything else that is due, then its next piece. Alone it gets long turns, which cost less in all; as soon as
 * another one stirs, turns are short, and one that floods pauses between them while anybody waits for another's answer.
 */
export class Turns {
  /** The one that stirred last, and the one that did of all the others. */
  #last: { readonly who: Turn; atMs: number } | undefined;
  #other: { readonly who: Turn; atMs: number } | undefined;

  /** Answers that are waited for, of everybody. */
  awaited = 0;

  stir(who: Turn, nowMs: number): void {
    if (this.#last?.who === who) {
      this.#last.atMs = nowMs;
      return;
    }
    this.#other = this.#last;
    this.#last = { who, atMs: nowMs };
  }

  /** Whether anybody but this one, which stirred last, wants something. */
  get isShared(): boolean {
    return this.#last !== undefined && this.#other !== undefined && this.#last.atMs - this.#other.atMs <= recentMs;
  }
}

/** One peer's place in the turns. */
export class Turn {
  readonly #turns: Turns;
  #startedMs = 0;
  /** Answers of its own that are waited for. */
  #awaited = 0;
  /** Since it last had nothing left to do, or did something that was asked for. */
  #workedMs = 0;

  constructor(turns: Turns) {
    this.#turns = turns;
  }

  /** It has something to do. Returns when its turn is over. */
  start(nowMs: number): number {
    this.#startedMs = nowMs;
    this.#turns.stir(this, nowMs);
    return nowMs + (this.#turns.isShared ? sharedMs : aloneMs);
  }

  /** Its turn is over and more is left. Returns how long it has to pause, once the others have had their turn. */
  over(nowMs: number): number {
    const tookMs = Math.max(0, nowMs - this.#startedMs);
    this.#workedMs += tookMs;
    if (this.#workedMs < floodMs) return 0;
    this.#turns.stir(this, nowMs);
    const bothers = this.#turns.isShared && this.#turns.awaited > this.#awaited;
    return bothers ? Math.min(tookMs / floodShare, restMaxMs) : 0;
  }

  /** It has nothing left, or brought what somebody waits for: that is no flood. */
  useful(): void {
    this.#workedMs = 0;
  }

  /** It was sent something that it will answer. Cheap: to be told of every message. */
  expect(nowMs: number): void {
    this.#awaited += 1;
    this.#turns.awaited += 1;
    this.#turns.stir(this, nowMs);
  }

  /** What was expected came, or is not waited for any more. Once for each `expect`. */
  settled(): void {
    this.#awaited -= 1;
    this.#turns.awaited -= 1;
  }
}

const byClock = new WeakMap<Clock, Turns>();

/** A place in the turns of everybody who goes by this clock: one event loop has one. */
export function turnOf(clock: Clock): Turn {
  const turns = byClock.get(clock) ?? new Turns();
  byClock.set(clock, turns);
  return new Turn(turns);
}
