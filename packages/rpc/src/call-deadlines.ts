import { CallFailed } from './call-failed.ts';
import type { Clock, Timer } from './clock.ts';
import type { PendingCall } from './pending-calls.ts';

/**
 * The deadlines of all waiting calls of one connection over one timer. Setting and clearing a timer for each call would
 * cost a fast call a tenth of its time, so the timer stays set when a call is answered and is set again when it fires.
 */
export class CallDeadlines {
  readonly #clock: Clock;
  readonly #waiting: ReadonlyMap<unknown, PendingCall>;
  readonly #expire: (call: PendingCall, error: CallFailed) => void;
  readonly #holds: () => boolean;
  #timer: Timer | undefined;
  /** When the timer fires. No waiting call is due before. */
  #timerAtMs = Number.POSITIVE_INFINITY;
  /** How many waiting calls have a deadline: the timer keeps the process alive for them, and not without them. */
  #count = 0;

  /**
   * Gives each call of the table to `expire` when it is due, on whose behalf the call leaves the table. While `holds`
   * is true a call that is due gets its whole time once more instead.
   */
  constructor(
    clock: Clock,
    waiting: ReadonlyMap<unknown, PendingCall>,
    expire: (call: PendingCall, error: CallFailed) => void,
    holds: () => boolean,
  ) {
    this.#clock = clock;
    this.#waiting = waiting;
    this.#expire = expire;
    this.#holds = holds;
  }

  /** The call was put into the table. */
  add(call: PendingCall): void {
    const endMs = endOf(call);
    if (endMs === Number.POSITIVE_INFINITY) return;
    if (this.#count++ === 0) this.#timer?.ref();
    if (endMs < this.#timerAtMs) this.#set(endMs);
  }

  /** The call was taken out of the table. */
  remove(call: PendingCall): void {
    if (endOf(call) !== Number.POSITIVE_INFINITY && --this.#count === 0) this.#timer?.unref();
  }

  close(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
  }

  #set(endMs: number): void {
    this.#timer?.cancel();
    this.#timerAtMs = endMs;
    this.#timer = this.#clock.after(endMs - this.#clock.monotonic(), () => this.#onTimer());
  }

  #onTimer(): void {
    this.#timer = undefined;
    this.#timerAtMs = Number.POSITIVE_INFINITY;
    const nowMs = this.#clock.monotonic();
    let nextMs = Number.POSITIVE_INFINITY;
    // Asked once, and only when something is due: the answer may cost more than a look at a number.
    let held: boolean | undefined;
    for (const call of [...this.#waiting.values()]) {
      const error = overdue(call, nowMs);
      if (error !== undefined) {
        held ??= this.#holds();
        if (!held) {
          this.#expire(call, error);
          continue;
        }
        call.startedAtMs = nowMs;
        call.activeAtMs = nowMs;
      }
      nextMs = Math.min(nextMs, endOf(call));
    }
    if (nextMs < this.#timerAtMs) this.#set(nextMs);
  }
}

/** When the call is due as things stand: each progress moves the end of its idle time. */
function endOf({ activeAtMs, startedAtMs, holds, options }: PendingCall): number {
  const { timeoutMs = Number.POSITIVE_INFINITY, timeoutMaxMs = Number.POSITIVE_INFINITY } = options;
  if (holds > 0) return startedAtMs + timeoutMaxMs;
  return Math.min(activeAtMs + timeoutMs, startedAtMs + timeoutMaxMs);
}

function overdue(
  { method, options, activeAtMs, startedAtMs, holds }: PendingCall,
  nowMs: number,
): CallFailed | undefined {
  const { timeoutMs = Number.POSITIVE_INFINITY, timeoutMaxMs = Number.POSITIVE_INFINITY } = options;
  // A real timer may fire a fraction of a millisecond early.
  if (nowMs - startedAtMs >= timeoutMaxMs - 1) {
    return new CallFailed('timeout', `The call "${method.name}" took longer than ${timeoutMaxMs} ms.`);
  }
  if (holds === 0 && nowMs - activeAtMs >= timeoutMs - 1) {
    const sentence = `The call "${method.name}" got neither an answer nor progress for ${timeoutMs} ms.`;
    return new CallFailed('timeout', sentence);
  }
  return undefined;
}
