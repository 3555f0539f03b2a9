import { isWireErrorData, RpcError, wireErrorName, wireErrors } from '@mmm/protocol';
import type { ResponseMessage } from 'vscode-jsonrpc/node';
import type { Refusal } from './bounded-writer.ts';
import { CallFailed } from './call-failed.ts';
import type { CloseCause } from './connection-options.ts';

/** `error` of an answer. */
export type ErrorLiteral = NonNullable<ResponseMessage['error']>;

/** The error of a call whose connection ended. */
export function closedError(name: string, cause: CloseCause | undefined): CallFailed {
  const sentence = `The call "${name}" has no answer, because the connection ended.`;
  return new CallFailed('closed', cause === undefined ? sentence : `${sentence} ${cause.detail}`);
}

/** The error of a call that was not sent. */
export function refusalError(name: string, refusal: Refusal, messageBytes: number, cause?: CloseCause): CallFailed {
  const start = `The call "${name}" was not sent:`;
  switch (refusal) {
    case 'busy':
      return new CallFailed('busy', `${start} the peer does not read, and the queue to it is full.`);
    case 'too_large':
      return new CallFailed('too_large', `${start} it is larger than ${messageBytes} bytes.`);
    case 'unwritable':
      return new CallFailed('invalid_params', `${start} its params cannot be written as JSON.`);
    case 'closed':
      return closedError(name, cause);
  }
}

/** The error the peer answered. Data of another shape than ours is kept as its details. */
export function asRpcError({ code, message, data }: ErrorLiteral): RpcError {
  if (data === undefined || data === null) return new RpcError(code, message);
  if (isWireErrorData(data)) return new RpcError(code, message, data);
  const name = wireErrorName(code);
  const { kind, retryable } = name === undefined ? { kind: 'unknown', retryable: false } : wireErrors[name];
  return new RpcError(code, message, { kind, retryable, details: data });
}

/** What is answered instead of an answer that cannot be sent. */
export function answerError(refusal: Refusal, messageBytes: number): RpcError {
  if (refusal === 'too_large')
    return RpcError.of('MessageTooLarge', `The answer is larger than ${messageBytes} bytes.`);
  if (refusal === 'busy') return RpcError.of('Busy', 'Too many answers wait to be read.');
  return RpcError.of('InternalError', 'The answer cannot be written as JSON.');
}
