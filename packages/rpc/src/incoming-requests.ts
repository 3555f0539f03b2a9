import { type ProgressValue, RpcError, sharedNames, wireErrorName, wireErrors } from '@mmm/protocol';
import type { ResponseMessage } from 'vscode-jsonrpc/node';
import type { OutgoingMessage } from './bounded-writer.ts';
import type { ConnectionLimits, ConnectionOptions, FaultKind } from './connection-options.ts';
import { isId, type MessageId, quoted } from './envelope.ts';
import type { HandlerContext, RequestEntry } from './handler.ts';
import { checkParams, checkResult, describeIssues } from './validate.ts';

/** Longest message of a handler's own error that goes out with `exposeErrors`. */
const exposedErrorLength = 4096;

/** What answering needs of its connection. */
export interface RequestHost {
  /** Sends an answer or a notification. */
  send(message: OutgoingMessage): void;
  fault(kind: FaultKind, detail: string): void;
  readonly accept: ConnectionOptions['accept'] | undefined;
  /** All requests in hand were answered. */
  onIdle(): void;
}

/** One request in hand. The signal is made when it is asked for, because few handlers do. */
class RequestInHand implements HandlerContext {
  readonly id: MessageId;
  readonly callId: MessageId | undefined;
  readonly #token: MessageId | undefined;
  readonly #requests: IncomingRequests;
  #abort: AbortController | undefined;
  #aborted: Error | undefined;
  /** The next chunk's number, and the last that the peer acknowledged. */
  #nextSeq = 0;
  #ackedSeq = -1;
  #waiters: (() => void)[] = [];

  constructor(id: MessageId, params: unknown, requests: IncomingRequests) {
    const { progress_token: token, call_id: callId } = (params ?? {}) as Readonly<Record<string, unknown>>;
    this.id = id;
    this.callId = isId(callId) ? callId : undefined;
    this.#token = isId(token) ? token : undefined;
    this.#requests = requests;
  }

  get signal(): AbortSignal {
    if (this.#abort === undefined) {
      this.#abort = new AbortController();
      if (this.#aborted !== undefined) this.#abort.abort(this.#aborted);
    }
    return this.#abort.signal;
  }

  get token(): MessageId | undefined {
    return this.#token;
  }

  get isCancelled(): boolean {
    return this.#aborted !== undefined;
  }

  progress(value: ProgressValue): void {
    if (this.#token === undefined || !this.#requests.has(this)) return;
    if (value.kind === 'chunk') this.#nextSeq = Math.max(this.#nextSeq, value.seq + 1);
    this.#requests.sendProgress(this.#token, value);
  }

  room(): Promise<void> {
    if (this.#hasRoom()) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.push(resolve));
  }

  acknowledge(seq: number): void {
    this.#ackedSeq = Math.max(this.#ackedSeq, Math.min(seq, this.#nextSeq - 1));
    if (this.#hasRoom()) this.#wake();
  }

  abort(reason: Error): void {
    if (this.#aborted !== undefined) return;
    this.#aborted = reason;
    this.#abort?.abort(reason);
    this.#wake();
  }

  #hasRoom(): boolean {
    if (this.#token === undefined || this.#aborted !== undefined) return true;
    return this.#nextSeq - 1 - this.#ackedSeq < this.#requests.chunksUnacknowledged;
  }

  #wake(): void {
    const waiters = this.#waiters;
    this.#waiters = [];
    for (const resolve of waiters) resolve();
  }
}

/** The peer's requests: checks them, runs their handlers side by side, answers each exactly once. */
export class IncomingRequests {
  readonly #host: RequestHost;
  readonly #limits: ConnectionLimits;
  readonly #exposeErrors: boolean;
  readonly #entries = new Map<string, RequestEntry>();
  readonly #inHand = new Map<MessageId, RequestInHand>();
  readonly #byToken = new Map<MessageId, RequestInHand>();
  #closed = false;

  constructor(
    entries: Readonly<Record<string, RequestEntry>>,
    limits: ConnectionLimits,
    exposeErrors: boolean,
    host: RequestHost,
  ) {
    for (const entry of Object.values(entries)) this.#entries.set(entry.method.name, entry);
    this.#limits = limits;
    this.#exposeErrors = exposeErrors;
    this.#host = host;
  }

  get size(): number {
    return this.#inHand.size;
  }

  get chunksUnacknowledged(): number {
    return this.#limits.chunksUnacknowledged;
  }

  has(request: RequestInHand): boolean {
    return this.#inHand.get(request.id) === request;
  }

  /** Handles one request whose envelope was checked. */
  handle(id: MessageId, name: string, rawParams: unknown): void {
    if (this.#inHand.has(id)) {
      this.#host.fault('invalid_message', `The id ${quoted(id)} is already in use by a request in hand.`);
      this.#refuse(id, RpcError.of('InvalidRequest', 'The id is in use by a request that is not answered yet.'));
      return;
    }
    const allowed = this.#host.accept?.(name, 'request') ?? true;
    if (allowed !== true) {
      this.#refuse(id, allowed);
      return;
    }
    const entry = this.#entries.get(name);
    if (entry === undefined) {
      this.#refuse(id, RpcError.of('MethodNotFound', `There is no method ${quoted(name)} here.`));
      return;
    }
    if (this.#inHand.size >= this.#limits.hostRequestsInFlight) {
      const sentence = `${this.#inHand.size} requests are in hand already. Wait for an answer before sending more.`;
      this.#refuse(id, RpcError.of('Busy', sentence));
      return;
    }
    const checked = checkParams(entry.method, rawParams);
    if (!checked.ok) {
      const sentence = `The params of ${name} do not match: ${describeIssues(checked.issues)}.`;
      this.#host.fault('invalid_params', sentence);
      this.#refuse(id, RpcError.of('InvalidParams', sentence, { issues: checked.issues }));
      return;
    }
    this.#run(id, entry, checked.value);
  }

  /** The peer wants one of its requests to end early. Unknown ids are normal: the answer was under way. */
  cancel(id: MessageId): void {
    this.#inHand.get(id)?.abort(RpcError.of('RequestCancelled', 'The request was cancelled by its sender.'));
  }

  /** The peer took the chunks of a stream up to `seq`. */
  acknowledge(token: MessageId, seq: number): void {
    this.#byToken.get(token)?.acknowledge(seq);
  }

  sendProgress(token: MessageId, value: ProgressValue): void {
    this.#host.send({ jsonrpc: '2.0', method: sharedNames.progress, params: { token, value } });
  }

  /** Aborts every handler. Their answers go nowhere. */
  close(): void {
    this.#closed = true;
    const reason = new Error('The connection ended.');
    for (const request of this.#inHand.values()) request.abort(reason);
    this.#inHand.clear();
    this.#byToken.clear();
  }

  #run(id: MessageId, entry: RequestEntry, params: unknown): void {
    const request = new RequestInHand(id, params, this);
    const { token } = request;
    this.#inHand.set(id, request);
    if (token !== undefined) this.#byToken.set(token, request);
    let outcome: unknown;
    try {
      outcome = entry.handle(params, request);
    } catch (error) {
      this.#fail(request, entry, error);
      return;
    }
    if (isThenable(outcome)) {
      outcome.then(
        (result) => this.#answer(request, entry, result),
        (error) => this.#fail(request, entry, error),
      );
    } else {
      this.#answer(request, entry, outcome);
    }
  }

  #answer(request: RequestInHand, entry: RequestEntry, result: unknown): void {
    if (this.#closed) return;
    const checked = checkResult(entry.method, result === undefined ? {} : result);
    if (checked.ok) {
      this.#done(request, { jsonrpc: '2.0', id: request.id, result: checked.value ?? null });
      return;
    }
    const sentence = `The result of ${entry.method.name} does not match: ${describeIssues(checked.issues)}.`;
    this.#host.fault('handler_failed', sentence);
    const shown = this.#exposeErrors ? sentence : `The request ${entry.method.name} failed.`;
    this.#done(request, errorAnswer(request.id, RpcError.of('InternalError', shown)));
  }

  #fail(request: RequestInHand, entry: RequestEntry, error: unknown): void {
    if (this.#closed) return;
    if (error instanceof RpcError) {
      this.#done(request, errorAnswer(request.id, error));
    } else if (request.isCancelled) {
      const cancelled = RpcError.of('RequestCancelled', `The request ${entry.method.name} was cancelled.`);
      this.#done(request, errorAnswer(request.id, cancelled));
    } else {
      const message = messageOf(error);
      this.#host.fault('handler_failed', `The handler of ${entry.method.name} failed: ${message}`);
      const shown = this.#exposeErrors ? message : `The request ${entry.method.name} failed.`;
      this.#done(request, errorAnswer(request.id, RpcError.of('InternalError', shown)));
    }
  }

  #done(request: RequestInHand, message: OutgoingMessage): void {
    this.#inHand.delete(request.id);
    const { token } = request;
    if (token !== undefined && this.#byToken.get(token) === request) this.#byToken.delete(token);
    this.#host.send(message);
    if (this.#inHand.size === 0) this.#host.onIdle();
  }

  #refuse(id: MessageId, error: RpcError): void {
    this.#host.send(errorAnswer(id, error));
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}

/** The message of whatever was thrown: it need not be an Error, nor have a text. */
export function messageOf(error: unknown): string {
  try {
    return String(error instanceof Error ? error.message : error).slice(0, exposedErrorLength);
  } catch {
    return 'something without a text was thrown';
  }
}

/** An error on the wire always has `data` with its kind, and never a stack. */
export function errorAnswer(id: MessageId | null, error: RpcError): ResponseMessage {
  const name = wireErrorName(error.code);
  const data = error.data ?? (name === undefined ? undefined : pick(wireErrors[name]));
  return { jsonrpc: '2.0', id, error: { code: error.code, message: error.message, data } };
}

function pick({ kind, retryable }: { kind: string; retryable: boolean }): { kind: string; retryable: boolean } {
  return { kind, retryable };
}
