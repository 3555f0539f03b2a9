import { type Method, type ProgressValue, wireLimits } from '@mmm/protocol';
import { CallDeadlines } from './call-deadlines.ts';
import { CallFailed } from './call-failed.ts';
import type { Clock, Timer } from './clock.ts';
import type { CallOptions } from './connection-options.ts';
import type { MessageId } from './envelope.ts';

/** Calls that were given up and not answered; the oldest are forgotten beyond this many. */
const expiredMax = 1024;

/** One call of ours: everything known about it, in one place. */
export interface PendingCall {
  readonly id: number;
  readonly method: Method;
  readonly options: CallOptions;
  readonly token: string | undefined;
  /** When it was written; later by the time for which its deadline was held. */
  startedAtMs: number;
  readonly resolve: (value: never) => void;
  readonly reject: (error: Error) => void;
  /** When the call was written or last made progress. */
  activeAtMs: number;
  /** For how many things the peer waits: while there is one, its silence does not count. */
  holds: number;
  onAbort: (() => void) | undefined;
  /** The number the next chunk of its stream must have. */
  nextSeq: number;
  /** Chunks that its taker has not done with. */
  chunksHeld: number;
  settled: boolean;
}

/** What the table needs of its connection. */
export interface PendingHost {
  /** The caller is settled: tell the peer. */
  cancel(call: PendingCall): void;
  unresponsive(call: PendingCall): void;
  /** Nobody waits for the call any more, whatever became of it. Once for each call that was added. */
  released(): void;
}

/** `taking`: the chunk is taken when it resolves. `overrun`: more chunks came than were acknowledged. */
export type ProgressOutcome =
  | 'taken'
  | 'dropped'
  | 'unknown'
  | 'disordered'
  | { readonly taking: Promise<unknown> }
  | { readonly overrun: PendingCall };

/** The calls that wait for an answer, and those that were given up but may still get one. */
export class PendingCalls {
  readonly #clock: Clock;
  readonly #cancelGraceMs: number;
  readonly #host: PendingHost;
  readonly #waiting = new Map<MessageId, PendingCall>();
  /** Given up: the value is the timer of the grace, undefined when it passed. */
  readonly #expired = new Map<MessageId, { readonly call: PendingCall; timer: Timer | undefined }>();
  readonly #byToken = new Map<MessageId, PendingCall>();
  readonly #deadlines: CallDeadlines;
  #lastId = -1;

  constructor(clock: Clock, cancelGraceMs: number, host: PendingHost, holds: () => boolean = () => false) {
    this.#clock = clock;
    this.#cancelGraceMs = cancelGraceMs;
    this.#host = host;
    this.#deadlines = new CallDeadlines(clock, this.#waiting, (call, error) => this.#expire(call, error), holds);
  }

  get size(): number {
    return this.#waiting.size;
  }

  has(id: MessageId): boolean {
    return this.#waiting.has(id);
  }

  /** True for the id of any call there ever was. They count up from 0. */
  wasUsed(id: MessageId): boolean {
    return typeof id === 'number' && id >= 0 && id <= this.#lastId;
  }

  add(call: PendingCall): void {
    this.#lastId = call.id;
    this.#waiting.set(call.id, call);
    if (call.token !== undefined) this.#byToken.set(call.token, call);
    this.#deadlines.add(call);
    const { signal } = call.options;
    if (signal !== undefined) {
      call.onAbort = () =>
        this.#expire(call, new CallFailed('cancelled', `The call "${call.method.name}" was cancelled.`));
      signal.addEventListener('abort', call.onAbort, { once: true });
    }
  }

  /** Takes out the call that an answer is for. */
  answered(id: MessageId): PendingCall | undefined {
    const call = this.#waiting.get(id);
    if (call !== undefined) this.#release(call);
    return call;
  }

  /** True when the answer came for a call that was given up, and was still expected. */
  answeredLate(id: MessageId): boolean {
    const expired = this.#expired.get(id);
    if (expired === undefined) return false;
    this.#forget(id);
    return true;
  }

  /** Hands progress to its call and restarts the idle time. Progress of a call that was given up is dropped. */
  progressed(token: MessageId, value: ProgressValue): ProgressOutcome {
    const call = this.#byToken.get(token);
    if (call === undefined) return 'unknown';
    if (call.settled) return 'dropped';
    call.activeAtMs = this.#clock.monotonic();
    if (value.kind === 'chunk') {
      if (value.seq !== call.nextSeq) return 'disordered';
      if (call.chunksHeld >= wireLimits.chunksUnacknowledged) return { overrun: call };
      call.nextSeq++;
    }
    const taking: unknown = call.options.onProgress?.(value);
    if (!(taking instanceof Promise)) return 'taken';
    call.chunksHeld++;
    return { taking: taking.finally(() => call.chunksHeld--) };
  }

  /** Silence of this call does not count until the returned function is called, for as often as this was called. */
  holdIdle(id: MessageId): () => void {
    const call = this.#waiting.get(id);
    if (call === undefined) return () => undefined;
    this.#deadlines.remove(call);
    call.holds++;
    this.#deadlines.add(call);
    let isHeld = true;
    return () => {
      if (!isHeld) return;
      isHeld = false;
      const isWaiting = this.#waiting.get(id) === call;
      if (isWaiting) this.#deadlines.remove(call);
      call.holds--;
      call.activeAtMs = this.#clock.monotonic();
      if (isWaiting) this.#deadlines.add(call);
    };
  }

  /** Settles every call at once: the connection is over. */
  closeAll(error: (call: PendingCall) => Error): void {
    for (const { timer } of this.#expired.values()) timer?.cancel();
    this.#expired.clear();
    for (const call of [...this.#waiting.values()]) {
      this.#release(call);
      call.settled = true;
      call.reject(error(call));
    }
    this.#byToken.clear();
    this.#deadlines.close();
  }

  #release(call: PendingCall): void {
    this.#waiting.delete(call.id);
    this.#host.released();
    if (call.token !== undefined) this.#byToken.delete(call.token);
    this.#deadlines.remove(call);
    if (call.onAbort !== undefined) call.options.signal?.removeEventListener('abort', call.onAbort);
  }

  #expire(call: PendingCall, error: CallFailed): void {
    if (call.settled || this.#waiting.get(call.id) !== call) return;
    this.#release(call);
    call.settled = true;
    // Progress that was under way belongs to a known call, so the token stays known until the answer.
    if (call.token !== undefined) this.#byToken.set(call.token, call);
    const expired = { call, timer: undefined as Timer | undefined };
    this.#expired.set(call.id, expired);
    expired.timer = this.#clock
      .after(this.#cancelGraceMs, () => {
        expired.timer = undefined;
        this.#host.unresponsive(call);
      })
      .unref();
    const oldest = this.#expired.size > expiredMax ? this.#expired.keys().next().value : undefined;
    if (oldest !== undefined) this.#forget(oldest);
    call.reject(error);
    this.#host.cancel(call);
  }

  #forget(id: MessageId): void {
    const expired = this.#expired.get(id);
    if (expired === undefined) return;
    this.#expired.delete(id);
    expired.timer?.cancel();
    const { call } = expired;
    if (call.token !== undefined && this.#byToken.get(call.token) === call) this.#byToken.delete(call.token);
  }
}
