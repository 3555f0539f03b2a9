import {
  type Framing,
  type Method,
  type Notification,
  type ParamsInput,
  type Result,
  sharedNames,
  wireLimits,
} from '@mmm/protocol';
import type { NotificationMessage, RequestMessage } from 'vscode-jsonrpc/node';
import { BoundedReader } from './bounded-reader.ts';
import { BoundedWriter, type OutgoingMessage } from './bounded-writer.ts';
import { answerError, asRpcError, closedError, type ErrorLiteral, refusalError } from './call-errors.ts';
import { CallFailed, type CallFailure } from './call-failed.ts';
import { type Clock, systemClock, type Timer } from './clock.ts';
import type { CallOptions, CloseCause, ConnectionCounters, ConnectionLimits } from './connection-options.ts';
import {
  type ConnectionOptions,
  defaultConnectionLimits,
  emptyCounters,
  type FaultKind,
} from './connection-options.ts';
import type { Envelope } from './envelope.ts';
import { IncomingMessages, type MessageHost } from './incoming-messages.ts';
import { errorAnswer, IncomingRequests, messageOf, type RequestHost } from './incoming-requests.ts';
import { type PendingCall, PendingCalls, type PendingHost } from './pending-calls.ts';
import type { Transport } from './transport.ts';
import { checkParams, checkResult, describeIssues } from './validate.ts';

/** How long after the output broke the input may still bring answers that were on their way. */
const brokenOutputGraceMs = 1000;

/** A typed JSON-RPC peer. Nothing here throws synchronously and nothing the peer does can make it reject unhandled. */
export interface Connection {
  /**
   * Sends a request and resolves with its checked result. Rejects with CallFailed when it failed on this side and with
   * RpcError when the peer answered an error. Settles at once on cancellation, deadline and close.
   */
  call<M extends Method>(method: M, params: ParamsInput<M>, options?: CallOptions): Promise<Result<M>>;
  /** Sends a notification. Dropped and counted when the connection is closed or the outbound queue is full. */
  notify<N extends Notification>(notification: N, params: ParamsInput<N>): void;
  /**
   * The peer waits for this side in the call with this id: its silence does not count until the returned function is
   * called; `timeoutMaxMs` counts on.
   */
  holdIdle(id: number): () => void;
  /** Calls that wait for their answer. */
  readonly inFlight: number;
  /** When the last message came, on the clock's monotonic time; when the connection was made, before the first. */
  readonly lastMessageAtMs: number;
  /** True while this side does not read because too much waits to be handled or to be sent. */
  readonly paused: boolean;
  /** True while a call would fail as `busy`. False once the connection ended. */
  readonly isFull: boolean;
  /**
   * Resolves when the queue has room again, and when the connection ends. Somebody else may fill it first, so check
   * again: `while (connection.isFull) await connection.room()`.
   */
  room(): Promise<void>;
  readonly counters: Readonly<ConnectionCounters>;
  /** True from the moment in which no further call can be sent, which may be before `closed` resolves. */
  readonly isClosed: boolean;
  /** Resolves once, after every pending call was settled with CallFailed('closed'). Never rejects. */
  readonly closed: Promise<CloseCause>;
  /** Ends the connection: settles every call, sends what is queued, ends the output and gives up the input. */
  close(cause?: string): void;
}

/** Makes a peer of two streams and starts reading at once, so that nothing is lost. */
export function connect(transport: Transport, options: ConnectionOptions): Connection {
  return new Peer(transport, options);
}

class Peer implements Connection, MessageHost, RequestHost, PendingHost {
  readonly counters: ConnectionCounters = emptyCounters();
  readonly closed: Promise<CloseCause>;
  readonly accept: ConnectionOptions['accept'] | undefined;
  readonly #transport: Transport;
  readonly #options: ConnectionOptions;
  readonly #clock: Clock;
  readonly #limits: ConnectionLimits;
  readonly #reader: BoundedReader;
  readonly #writer: BoundedWriter;
  readonly #pending: PendingCalls;
  readonly #requests: IncomingRequests;
  #resolveClosed: (cause: CloseCause) => void = () => {};
  /** Why it ended; undefined while it lives. */
  #cause: CloseCause | undefined;
  /** The input ended while requests were in hand, and their answers are waited for. */
  #finishing: CloseCause | undefined;
  #brokenOutput: Timer | undefined;
  #roomWaiters: (() => void)[] = [];
  #madeTokens = 0;
  #nextId = 0;

  constructor(transport: Transport, options: ConnectionOptions) {
    this.#transport = transport;
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#limits = { ...defaultConnectionLimits, ...options.limits };
    this.accept = options.accept?.bind(options);
    this.closed = new Promise((resolve) => {
      this.#resolveClosed = resolve;
    });
    const framing = options.framing === 'mirror' ? 'ndjson' : options.framing;
    const holds = options.holdsDeadlines?.bind(options) ?? (() => false);
    this.#pending = new PendingCalls(this.#clock, this.#limits.cancelGraceMs, this, holds);
    this.#requests = new IncomingRequests(options.requests ?? {}, this.#limits, options.exposeErrors ?? false, this);
    const sink = new IncomingMessages(options, this, this.#pending, this.#requests);
    this.#writer = new BoundedWriter(transport.output, framing, this.#limits, this.#clock, this.counters);
    this.#writer.onRoom = () => this.#onRoom();
    this.#writer.onStuck = () => this.#onStuck();
    this.#writer.holdsDeadline = holds;
    this.#writer.onBroken = (error) => this.#onOutputBroken(error);
    this.#reader = new BoundedReader(transport.input, this.#limits, this.#clock, this.counters, sink);
    this.#reader.onEnd = () => this.#onInputEnd();
    this.#reader.listen();
  }

  get inFlight(): number {
    return this.#pending.size;
  }

  get lastMessageAtMs(): number {
    return this.#reader.lastMessageAtMs;
  }

  get paused(): boolean {
    return this.#reader.paused;
  }

  get isFull(): boolean {
    return this.#cause === undefined && this.#writer.isFull;
  }

  get isClosed(): boolean {
    return this.#cause !== undefined || this.#finishing !== undefined || this.#brokenOutput !== undefined;
  }

  room(): Promise<void> {
    if (this.#cause !== undefined || !this.#writer.isFull) return Promise.resolve();
    return new Promise((resolve) => this.#roomWaiters.push(resolve));
  }

  call<M extends Method>(method: M, params: ParamsInput<M>, options: CallOptions = {}): Promise<Result<M>> {
    return new Promise((resolve, reject) => {
      const failure = this.#startCall(method, params, options, resolve, reject);
      if (failure !== undefined) reject(failure);
    });
  }

  notify<N extends Notification>(notification: N, params: ParamsInput<N>): void {
    const checked = checkParams(notification, params);
    if (!checked.ok) {
      const issues = describeIssues(checked.issues);
      this.fault('invalid_params', `A notification of this side, ${notification.name}, was not sent: ${issues}.`);
      this.counters.dropped++;
      return;
    }
    const message: NotificationMessage = {
      jsonrpc: '2.0',
      method: notification.name,
      params: checked.value as object,
    };
    if (this.#writer.send(message, false) !== undefined) this.counters.dropped++;
  }

  holdIdle(id: number): () => void {
    return this.#pending.holdIdle(id);
  }

  close(cause = 'This side closed the connection.'): void {
    this.#finish({ kind: 'disposed', detail: cause });
  }

  #startCall(
    method: Method,
    params: unknown,
    options: CallOptions,
    resolve: PendingCall['resolve'],
    reject: PendingCall['reject'],
  ): Error | undefined {
    const { name } = method;
    if (this.#cause !== undefined || this.#finishing !== undefined) return this.#closedError(name);
    if (options.signal?.aborted)
      return new CallFailed('cancelled', `The call "${name}" was cancelled before it was sent.`);
    const checked = checkParams(method, params);
    if (!checked.ok) {
      const sentence = `The params of "${name}" do not match: ${describeIssues(checked.issues)}. Nothing was sent.`;
      return new CallFailed('invalid_params', sentence, checked.issues);
    }
    const token = options.progressToken ?? (options.onProgress === undefined ? undefined : this.#makeToken());
    const sent = checked.value as object;
    const request: RequestMessage = {
      jsonrpc: '2.0',
      id: this.#nextId,
      method: name,
      params: token === undefined ? sent : { ...sent, progress_token: token },
    };
    const refusal = this.#writer.send(request, false);
    if (refusal !== undefined) return refusalError(name, refusal, this.#limits.messageBytes, this.#cause);
    const startedAtMs = this.#clock.monotonic();
    this.#reader.expect(startedAtMs);
    this.#pending.add({
      id: this.#nextId++,
      method,
      options,
      token,
      startedAtMs,
      resolve,
      reject,
      activeAtMs: startedAtMs,
      holds: 0,
      onAbort: undefined,
      nextSeq: 0,
      chunksHeld: 0,
      settled: false,
    });
    options.onSent?.(request.id as number);
    return undefined;
  }

  #makeToken(): string {
    return `p${this.#madeTokens++}`;
  }

  #closedError(name: string): CallFailed {
    return closedError(name, this.#cause ?? this.#finishing);
  }

  peerFrames(framing: Framing): Framing {
    if (this.#options.framing === 'mirror') this.#writer.framing = framing;
    return this.#writer.framing;
  }

  settle(call: PendingCall, { result, error }: Envelope): void {
    call.settled = true;
    this.#reader.useful();
    if (error !== undefined && error !== null) {
      call.reject(asRpcError(error as ErrorLiteral));
      return;
    }
    const checked = checkResult(call.method, result);
    if (checked.ok) {
      call.resolve(checked.value as never);
      return;
    }
    const sentence = `The answer to "${call.method.name}" does not match: ${describeIssues(checked.issues)}.`;
    this.fault('invalid_result', sentence);
    call.reject(new CallFailed('invalid_result', sentence, checked.issues));
  }

  failCall(call: PendingCall, reason: CallFailure, sentence: string): void {
    call.settled = true;
    call.reject(new CallFailed(reason, `The call "${call.method.name}" has no usable answer. ${sentence}`));
  }

  cancel(call: PendingCall): void {
    this.#writer.send({ jsonrpc: '2.0', method: sharedNames.cancel, params: { id: call.id } }, true);
  }

  released(): void {
    this.#reader.settled();
  }

  unresponsive(call: PendingCall): void {
    const sentence = `The call "${call.method.name}" (${call.id}) was cancelled and not answered`;
    this.fault('unresponsive_to_cancel', `${sentence} within ${this.#limits.cancelGraceMs} ms.`);
  }

  /** Sends an answer or a notification of the protocol itself. What cannot be sent becomes an error answer. */
  send(message: OutgoingMessage): void {
    const id = 'method' in message ? undefined : message.id;
    const tooMuch = id !== undefined && this.#writer.queuedBytes > wireLimits.messageBytesMax;
    const refusal = tooMuch ? 'busy' : this.#writer.send(message, true);
    if (refusal !== undefined && id !== undefined && refusal !== 'closed') {
      this.#writer.send(errorAnswer(id, answerError(refusal, this.#limits.messageBytes)), true);
    }
    // A peer that asks and does not read the answers is not read either.
    if (this.#writer.queuedBytes >= this.#limits.outboundBytes && this.#writer.isFull) this.#reader.hold();
  }

  fault(kind: FaultKind, detail: string): void {
    this.counters.faults[kind]++;
    try {
      this.#options.onFault?.({ kind, detail });
    } catch {
      // Counting must not fail, and there is nobody else to tell.
    }
  }

  onIdle(): void {
    if (this.#finishing !== undefined) this.#finish(this.#finishing);
  }

  #onRoom(): void {
    this.#reader.release();
    this.#wakeRoomWaiters();
  }

  #wakeRoomWaiters(): void {
    const waiters = this.#roomWaiters;
    this.#roomWaiters = [];
    for (const resolve of waiters) resolve();
  }

  #onStuck(): void {
    const detail = `The peer did not read its input for ${this.#limits.writeDeadlineMs} ms.`;
    this.#finish({ kind: 'unresponsive', detail });
  }

  #onInputEnd(): void {
    const cause = this.#reader.ended ?? { kind: 'ended', detail: 'The input ended.' };
    if (!this.#options.finishOnEnd || this.#requests.size === 0) {
      this.#finish(cause);
      return;
    }
    this.#finishing = cause;
    this.#pending.closeAll((call) => this.#closedError(call.method.name));
  }

  /** The peer closed its input or died. What it wrote before may be on its way still, so the input is read on. */
  #onOutputBroken(error: Error): void {
    if (this.#cause !== undefined || this.#brokenOutput !== undefined) return;
    const cause: CloseCause = { kind: 'io', detail: `Writing failed: ${messageOf(error)}` };
    this.#brokenOutput = this.#clock.after(brokenOutputGraceMs, () => this.#finish(cause)).unref();
    this.#wakeRoomWaiters();
    this.#reader.release();
  }

  #finish(cause: CloseCause): void {
    if (this.#cause !== undefined) return;
    this.#cause = cause;
    this.#brokenOutput?.cancel();
    this.#pending.closeAll((call) => this.#closedError(call.method.name));
    this.#requests.close();
    this.#wakeRoomWaiters();
    const { input, output } = this.#transport;
    if (cause.kind === 'unresponsive' || cause.kind === 'io') output.destroy();
    else this.#writer.end();
    this.#reader.stop();
    // One duplex stream must first send what is queued.
    if ((input as unknown) !== output) input.destroy();
    this.#resolveClosed(cause);
  }
}
