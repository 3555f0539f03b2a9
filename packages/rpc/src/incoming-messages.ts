import { type Framing, type ProgressValue, RpcError, sharedNames } from '@mmm/protocol';
import type { ReaderSink, RefusedReason } from './bounded-reader.ts';
import type { OutgoingMessage } from './bounded-writer.ts';
import type { CallFailure } from './call-failed.ts';
import type { ConnectionOptions, FaultKind, StrayInfo } from './connection-options.ts';
import { type Envelope, framingNames, isId, kindOf, type MessageId, quoted } from './envelope.ts';
import type { NotificationEntry } from './handler.ts';
import { errorAnswer, type IncomingRequests, messageOf } from './incoming-requests.ts';
import type { MessageHint } from './json-guard.ts';
import type { PendingCall, PendingCalls, ProgressOutcome } from './pending-calls.ts';
import { checkParams, describeIssues } from './validate.ts';

/** What sorting needs of its connection. */
export interface MessageHost {
  /** A first message came, framed like this. Returns how this side writes from now on. */
  peerFrames(framing: Framing): Framing;
  /** Settles a call that was taken out of the table with its answer. */
  settle(call: PendingCall, answer: Envelope): void;
  /** Fails a call that was taken out of the table: its answer cannot be used. */
  failCall(call: PendingCall, reason: CallFailure, sentence: string): void;
  send(message: OutgoingMessage): void;
  fault(kind: FaultKind, detail: string): void;
}

const refusals: Readonly<Record<RefusedReason, string>> = {
  size: 'is larger than the limit',
  depth: 'nests deeper than the limit',
  structure: 'holds more keys and values than the limit',
  utf8: 'is not UTF-8',
};

/** Sorts what comes in: answers to their calls, requests to their handlers, everything irregular to the counters. */
export class IncomingMessages implements ReaderSink {
  readonly #options: ConnectionOptions;
  readonly #host: MessageHost;
  readonly #pending: PendingCalls;
  readonly #requests: IncomingRequests;
  readonly #notifications = new Map<string, NotificationEntry>();
  #framing: Framing | undefined;

  constructor(options: ConnectionOptions, host: MessageHost, pending: PendingCalls, requests: IncomingRequests) {
    this.#options = options;
    this.#host = host;
    this.#pending = pending;
    this.#requests = requests;
    for (const entry of Object.values(options.notifications ?? {})) {
      this.#notifications.set(entry.notification.name, entry);
    }
  }

  message(value: object, framing: Framing): void {
    try {
      this.#sort(value, framing);
    } catch (error) {
      // Only code of the connection's owner can throw here, and an input event must not.
      this.#host.fault('handler_failed', `Taking a message failed: ${messageOf(error)}`);
    }
  }

  #sort(value: object, framing: Framing): void {
    const kind = kindOf(value);
    const message = value as Envelope;
    if (kind === 'printed') {
      const line = JSON.stringify(value);
      this.stray(line, { bytes: Buffer.byteLength(line), cut: false });
      return;
    }
    if (framing !== this.#framing) this.#noteFraming(framing);
    if (kind === 'response') this.#response(message as Envelope & { id: MessageId });
    else if (kind === 'request')
      this.#requests.handle(message.id as MessageId, message.method as string, message.params);
    else if (kind === 'notification') this.#notification(message.method as string, message.params);
    else this.#irregular(kind, message);
  }

  refused(reason: RefusedReason, { id, kind }: MessageHint, bytes: number): void {
    const isAnswer = kind === 'response' || (kind === 'unknown' && id !== undefined && this.#pending.has(id));
    const sentence = `A message of ${reason === 'size' ? 'more than ' : ''}${bytes} bytes ${refusals[reason]}`;
    const about = id === undefined ? 'its id was not found' : `its id is ${quoted(id)}`;
    // The line itself is counted as invalid_utf8 where it becomes a stray line.
    if (reason !== 'utf8') {
      this.#host.fault(isAnswer ? 'oversized_response' : 'oversized_request', `${sentence}; ${about}.`);
    }
    if (id === undefined) return;
    if (isAnswer) {
      this.#failCall(id, reason === 'utf8' ? 'invalid_result' : 'too_large', `${sentence}.`);
    } else if (kind === 'request') {
      const name = reason === 'utf8' ? 'ParseError' : 'MessageTooLarge';
      this.#host.send(errorAnswer(id, RpcError.of(name, `${sentence}.`)));
    }
  }

  stray(line: string, info: StrayInfo): void {
    try {
      this.#options.onStray?.(line, info);
    } catch (error) {
      this.#host.fault('handler_failed', `Taking a stray line failed: ${messageOf(error)}`);
    }
  }

  fault(kind: FaultKind, detail: string): void {
    this.#host.fault(kind, detail);
  }

  #noteFraming(framing: Framing): void {
    const isFirst = this.#framing === undefined;
    this.#framing = framing;
    const written = isFirst ? this.#host.peerFrames(framing) : undefined;
    if (written === undefined || written === framing) return;
    const sentence = `The peer writes ${framingNames[framing]}, but is written ${framingNames[written]}`;
    this.#host.fault('wrong_framing', `${sentence}: its manifest should say framing = "${framing}".`);
  }

  #response(message: Envelope & { id: MessageId }): void {
    const { id, error } = message;
    const call = this.#pending.answered(id);
    if (call === undefined) {
      this.#unexpected(id);
    } else if (error !== undefined && error !== null && !isErrorObject(error)) {
      this.#host.fault('invalid_message', `The error answered to ${quoted(id)} has no code and message.`);
      this.#host.failCall(call, 'invalid_result', 'The answer is an error without a code and a message.');
    } else {
      this.#host.settle(call, message);
    }
  }

  #failCall(id: MessageId, reason: CallFailure, sentence: string): void {
    const call = this.#pending.answered(id);
    if (call !== undefined) this.#host.failCall(call, reason, sentence);
  }

  #unexpected(id: MessageId): void {
    if (this.#pending.answeredLate(id)) {
      this.#host.fault('late_reply', `The answer to ${quoted(id)} came after the call was given up.`);
    } else if (this.#pending.wasUsed(id)) {
      this.#host.fault('duplicate_reply', `The call ${quoted(id)} was answered before.`);
    } else {
      this.#host.fault('unknown_id', `No call has the id ${quoted(id)}.`);
    }
  }

  #irregular(kind: 'batch' | 'invalid', message: Envelope): void {
    if (kind === 'batch') {
      this.#host.fault('batch', 'The peer sent an array; there are no batches.');
      this.#host.send(
        errorAnswer(null, RpcError.of('InvalidRequest', 'There are no batches: send one message at a time.')),
      );
      return;
    }
    const { id, method } = message;
    this.#host.fault(
      'invalid_message',
      `An object is not a JSON-RPC 2.0 message: id ${quoted(id)}, method ${quoted(method)}.`,
    );
    if (id === undefined || id === null) return;
    if (method !== undefined) {
      const error = RpcError.of(
        'InvalidRequest',
        'This is not a JSON-RPC 2.0 request: jsonrpc, id or method is wrong.',
      );
      this.#host.send(errorAnswer(isId(id) ? id : null, error));
    } else if (isId(id)) {
      this.#failCall(id, 'invalid_result', 'The answer is not a JSON-RPC 2.0 message with a result or an error.');
    }
  }

  #notification(name: string, params: unknown): void {
    if (name === sharedNames.progress) this.#progress(params);
    else if (name === sharedNames.cancel || name === sharedNames.ack) this.#aboutRequest(name, params);
    else this.#userNotification(name, params);
  }

  #userNotification(name: string, params: unknown): void {
    const allowed = this.#options.accept?.(name, 'notification') ?? true;
    if (allowed !== true) {
      this.#host.fault('invalid_message', `The notification ${quoted(name)} was refused: ${allowed.message}`);
      return;
    }
    const entry = this.#notifications.get(name);
    if (entry === undefined) {
      this.#host.fault('unknown_notification', `There is no notification ${quoted(name)} here.`);
      return;
    }
    const checked = checkParams(entry.notification, params);
    if (!checked.ok) {
      this.#host.fault('invalid_params', `The params of ${name} do not match: ${describeIssues(checked.issues)}.`);
      return;
    }
    try {
      const outcome: unknown = entry.handle(checked.value);
      if (outcome instanceof Promise) outcome.catch((error: unknown) => this.#notificationFailed(name, error));
    } catch (error) {
      this.#notificationFailed(name, error);
    }
  }

  #notificationFailed(name: string, error: unknown): void {
    this.#host.fault('handler_failed', `The handler of ${name} failed: ${messageOf(error)}`);
  }

  #aboutRequest(name: string, params: unknown): void {
    const { id, token, seq } = (params ?? {}) as { id?: unknown; token?: unknown; seq?: unknown };
    if (name === sharedNames.cancel && isId(id)) this.#requests.cancel(id);
    else if (name === sharedNames.ack && isId(token) && typeof seq === 'number') this.#requests.acknowledge(token, seq);
    else this.#host.fault('invalid_params', `The params of ${name} do not match.`);
  }

  #progress(params: unknown): void {
    const { token, value } = (params ?? {}) as { token?: unknown; value?: unknown };
    if (!isId(token) || !isProgressValue(value)) {
      this.#host.fault('invalid_params', 'The params of $/progress do not match.');
      return;
    }
    try {
      const taken = this.#pending.progressed(token, value);
      if (taken === 'unknown') {
        this.#host.fault('unknown_notification', `No call has the progress token ${quoted(token)}.`);
      } else if (taken === 'disordered') {
        this.#host.fault('invalid_message', `A chunk of ${quoted(token)} came out of order and was dropped.`);
      } else if (value.kind === 'chunk') {
        this.#tookChunk(token, value.seq, taken);
      }
    } catch (error) {
      this.#host.fault('handler_failed', `Taking progress failed: ${messageOf(error)}`);
    }
  }

  #tookChunk(token: MessageId, seq: number, taken: ProgressOutcome): void {
    const acknowledge = (): void => {
      this.#host.send({ jsonrpc: '2.0', method: sharedNames.ack, params: { token, seq } });
    };
    if (typeof taken === 'string') {
      acknowledge();
    } else if ('taking' in taken) {
      taken.taking.then(acknowledge, (error: unknown) => {
        this.#host.fault('handler_failed', `Taking a chunk failed: ${messageOf(error)}`);
        acknowledge();
      });
    } else {
      this.#failCall(taken.overrun.id, 'invalid_result', 'It streams without waiting for acknowledgements.');
    }
  }
}

function isErrorObject(error: unknown): boolean {
  if (typeof error !== 'object' || error === null) return false;
  const { code, message } = error as { code?: unknown; message?: unknown };
  return typeof code === 'number' && typeof message === 'string';
}

function isProgressValue(value: unknown): value is ProgressValue {
  if (typeof value !== 'object' || value === null) return false;
  const { kind, seq } = value as { kind?: unknown; seq?: unknown };
  return kind === 'report' || (kind === 'chunk' && typeof seq === 'number' && Number.isSafeInteger(seq) && seq >= 0);
}
