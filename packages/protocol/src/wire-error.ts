/**
 * Every error number that may cross the wire: JSON-RPC 2.0's own, LSP's RequestCancelled, and ours from -32050 down.
 * `kind` is what `error.data.kind` carries; `retryable` is the default a receiver may act on.
 */
export const wireErrors = {
  ParseError: { code: -32700, kind: 'parse_error', retryable: false, meaning: 'The bytes were not JSON.' },
  InvalidRequest: {
    code: -32600,
    kind: 'invalid_request',
    retryable: false,
    meaning: 'The JSON was not a JSON-RPC 2.0 message, or came out of turn. Batches are answered with this.',
  },
  MethodNotFound: {
    code: -32601,
    kind: 'method_not_found',
    retryable: false,
    meaning: 'The peer has no such method. As an answer to ping it still means alive.',
  },
  InvalidParams: {
    code: -32602,
    kind: 'invalid_params',
    retryable: false,
    meaning: 'The params do not match the schema of the method or of the capability; details name the field.',
  },
  InternalError: {
    code: -32603,
    kind: 'internal_error',
    retryable: false,
    meaning: 'The peer failed while it handled the request.',
  },
  RequestCancelled: {
    code: -32800,
    kind: 'request_cancelled',
    retryable: false,
    meaning: 'The request was cancelled by its sender.',
  },
  NotInitialized: {
    code: -32050,
    kind: 'not_initialized',
    retryable: true,
    meaning: 'The request came before initialize was answered.',
  },
  PermissionDenied: {
    code: -32051,
    kind: 'permission_denied',
    retryable: false,
    meaning: 'The plugin was not granted what this needs.',
  },
  Timeout: { code: -32052, kind: 'timeout', retryable: true, meaning: 'The work did not end before its deadline.' },
  Busy: {
    code: -32053,
    kind: 'busy',
    retryable: true,
    meaning: 'A queue is full or a rate is exceeded; try again later.',
  },
  MessageTooLarge: {
    code: -32054,
    kind: 'message_too_large',
    retryable: false,
    meaning: 'A message is over the size or depth limit.',
  },
  InvalidConfig: {
    code: -32055,
    kind: 'invalid_config',
    retryable: false,
    meaning: 'The configuration was refused; the old one stays in force.',
  },
  UnknownCapability: {
    code: -32056,
    kind: 'unknown_capability',
    retryable: false,
    meaning: 'No such capability here.',
  },
  NotInteractive: {
    code: -32057,
    kind: 'not_interactive',
    retryable: false,
    meaning: 'Nobody is there to answer a question.',
  },
  PluginUnavailable: {
    code: -32058,
    kind: 'plugin_unavailable',
    retryable: true,
    meaning: 'The plugin asked for is not running and cannot be started now.',
  },
  VersionConflict: {
    code: -32059,
    kind: 'version_conflict',
    retryable: true,
    meaning: 'The stored version is not the one the request was based on; details carry the current one.',
  },
  QuotaExceeded: {
    code: -32060,
    kind: 'quota_exceeded',
    retryable: false,
    meaning: 'A quota of state, storage or output is used up.',
  },
  UnsupportedMessage: {
    code: -32061,
    kind: 'unsupported_message',
    retryable: false,
    meaning: 'The plugin does not take messages of this kind.',
  },
  NetworkFailed: {
    code: -32062,
    kind: 'network_failed',
    retryable: true,
    meaning: 'The other end of a granted connection was not reached or broke off; details name the reason.',
  },
  StorageFailed: {
    code: -32063,
    kind: 'storage_failed',
    retryable: true,
    meaning: 'The host could not store or read what it keeps, for a full disk or a failing one; details name which.',
  },
} as const satisfies Record<string, { code: number; kind: string; retryable: boolean; meaning: string }>;

export type WireErrorName = keyof typeof wireErrors;

/** The shape of `error.data`; its schema is `wireErrorData`. No stack trace ever crosses the wire. */
export interface WireErrorData {
  kind: string;
  retryable: boolean;
  details?: unknown;
  [key: string]: unknown;
}

/** Whether a peer's `error.data` has this shape; the schema's answer without the schema. */
export function isWireErrorData(data: unknown): data is WireErrorData {
  if (typeof data !== 'object' || data === null) return false;
  const { kind, retryable } = data as Partial<WireErrorData>;
  return typeof kind === 'string' && typeof retryable === 'boolean';
}

/** An error that crosses the wire: a number for programs, a sentence for people, optional JSON details. */
export class RpcError extends Error {
  override readonly name = 'RpcError';
  readonly code: number;
  readonly data: WireErrorData | undefined;

  constructor(code: number, message: string, data?: WireErrorData) {
    super(message);
    this.code = code;
    this.data = data;
  }

  /** Builds the error for a name of the table; `details` becomes `data.details`. */
  static of(name: WireErrorName, message: string, details?: unknown): RpcError {
    const { code, kind, retryable } = wireErrors[name];
    return rpcError(code, message, details === undefined ? { kind, retryable } : { kind, retryable, details });
  }

  is(name: WireErrorName): boolean {
    return this.code === wireErrors[name].code;
  }
}

/** A class that names itself in its own body loses its name in a bundle. */
function rpcError(code: number, message: string, data: WireErrorData): RpcError {
  return new RpcError(code, message, data);
}

/** The table's name for a number, or undefined for a plugin's own number. */
export function wireErrorName(code: number): WireErrorName | undefined {
  for (const name of Object.keys(wireErrors) as WireErrorName[]) {
    if (wireErrors[name].code === code) return name;
  }
  return undefined;
}
