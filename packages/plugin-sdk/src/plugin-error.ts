import { RpcError, type WireErrorName, wireErrors } from '@mmm/protocol';

/** What `error.data.kind` may be: the table of wire errors in snake case. */
export type WireErrorKind = (typeof wireErrors)[WireErrorName]['kind'];

export interface PluginErrorOptions {
  /** Default `internal_error`. */
  readonly kind?: WireErrorKind;
  /** Whether the caller may try again; the default is the kind's own. */
  readonly retryable?: boolean;
  /** JSON for programs: what to branch on. */
  readonly details?: unknown;
  readonly cause?: unknown;
}

/** Thrown by a handler to choose what its caller sees. The message is shown to people: say what to do next. */
export class PluginError extends Error {
  override readonly name = 'PluginError';
  readonly kind: WireErrorKind;
  readonly retryable: boolean | undefined;
  readonly details: unknown;

  constructor(message: string, options: PluginErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.kind = options.kind ?? 'internal_error';
    this.retryable = options.retryable;
    this.details = options.details;
  }
}

/**
 * Whatever a handler threw, as the error that crosses the wire. Any other error keeps its message, for the plugin's
 * author is the one who wrote it; its stack stays here.
 */
export function toRpcError(thrown: unknown, aborted: boolean): RpcError {
  if (thrown instanceof RpcError) return thrown;
  if (thrown instanceof PluginError) return fromPluginError(thrown);
  if (aborted) return RpcError.of('RequestCancelled', 'The call was cancelled.');
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return RpcError.of('InternalError', message === '' ? 'The plugin failed without a message.' : message);
}

function fromPluginError(error: PluginError): RpcError {
  const entry = Object.values(wireErrors).find(({ kind }) => kind === error.kind) ?? wireErrors.InternalError;
  const data = { kind: entry.kind, retryable: error.retryable ?? entry.retryable };
  return new RpcError(
    entry.code,
    error.message,
    error.details === undefined ? data : { ...data, details: error.details },
  );
}
