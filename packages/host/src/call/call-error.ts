import { type ExitReason, MmmError, RpcError, wireErrorName, wireLimits } from '@mmm/protocol';
import { CallFailed } from '@mmm/rpc';
import { exitError } from '../display/exit-error.ts';
import { safeText } from '../display/safe-text.ts';
import { resultInvalid } from './schema.ts';

/** What is known about a call when it fails. */
export interface FailedCall {
  readonly plugin: string;
  /** The wire method. */
  readonly method: string;
  readonly capability: string;
  /** The limit that was in force. */
  readonly timeoutMs: number;
  readonly queued: number;
  readonly queuedMax: number;
  /** The largest message this plugin may send or get, from `[limits] message_mb`. */
  readonly bytesMax?: number;
  /** How the session ended. Asked only when the connection closed under the call. */
  exitReason(): Promise<ExitReason>;
}

/** Turns whatever ended a call into the error the caller sees. An MmmError passes through. */
export async function callError(error: unknown, call: FailedCall): Promise<MmmError> {
  if (error instanceof MmmError) return error;
  if (error instanceof RpcError) return answeredError(error, call);
  if (error instanceof CallFailed) return await failedError(error, call);
  const detail = error instanceof Error ? error.message : String(error);
  return new MmmError('INTERNAL', `mmm failed while it called ${call.plugin}: ${detail}`, { detail }, { cause: error });
}

async function failedError(error: CallFailed, call: FailedCall): Promise<MmmError> {
  const { plugin, method, capability } = call;
  switch (error.reason) {
    case 'closed':
      return exitError(plugin, await call.exitReason(), `during the call of ${capability}`);
    case 'timeout':
      return timeoutError(call, 'did not answer');
    case 'cancelled':
      return cancelledError(call);
    case 'invalid_params': {
      const issues = error.issues ?? [];
      const message = `${plugin} was not called: the input of ${capability} cannot be sent: ${safeText(error.message)}`;
      return new MmmError('INPUT_INVALID', message, { plugin, capability, issues }, { cause: error });
    }
    case 'invalid_result':
      return resultInvalid(plugin, capability, error.issues ?? [{ path: method, message: safeText(error.message) }]);
    case 'too_large':
      return tooLargeError(call);
    case 'busy':
      return busyError(call, 'it does not read what it is sent');
  }
}

/** The plugin's own words, made safe for a screen. */
function answeredError(error: RpcError, call: FailedCall): MmmError {
  const { plugin, method, capability } = call;
  const name = wireErrorName(error.code);
  if (name === 'MessageTooLarge') return tooLargeError(call);
  if (name === 'Busy') return busyError(call, safeText(error.message));
  const code = name ?? `error ${error.code}`;
  const message = `${plugin} refused ${capability} with ${code}: ${safeText(error.message, 1000)}`;
  const rpcData: unknown = error.data ?? null;
  return new MmmError('CALL_REJECTED', message, { plugin, method, rpcCode: error.code, rpcData }, { cause: error });
}

/** `what` is what it was doing all that time, such as `did not answer`; `cause` says why, when that is known. */
export function timeoutError(
  { plugin, method, capability, timeoutMs }: FailedCall,
  what: string,
  cause?: unknown,
): MmmError<'CALL_TIMEOUT'> {
  const why = cause instanceof MmmError ? ` ${cause.message}` : '';
  const message =
    `${plugin} ${what} within ${timeoutMs / 1000} s (${capability}).${why} ` +
    'Call again with a longer timeout, or set `timeout_s` on the capability.';
  return new MmmError('CALL_TIMEOUT', message, { plugin, method, timeoutMs }, { cause });
}

export function cancelledError({ plugin, method, capability }: FailedCall): MmmError<'CALL_CANCELLED'> {
  return new MmmError('CALL_CANCELLED', `The call of ${capability} of ${plugin} was cancelled.`, { plugin, method });
}

function tooLargeError({ plugin, method, capability, bytesMax }: FailedCall): MmmError<'MESSAGE_TOO_LARGE'> {
  const limit = bytesMax ?? wireLimits.messageBytes;
  const message =
    `The input or the answer of ${capability} of ${plugin} is larger than ${limit / 1024 / 1024} MiB or nested too ` +
    'deeply. Send less, or raise `[limits] message_mb` in the manifest.';
  return new MmmError('MESSAGE_TOO_LARGE', message, { plugin, method, bytesMax: limit });
}

function busyError({ plugin, queued, queuedMax }: FailedCall, why: string): MmmError<'BUSY'> {
  return new MmmError('BUSY', `${plugin} is busy: ${why}. Try again later.`, { plugin, queued, queuedMax });
}
