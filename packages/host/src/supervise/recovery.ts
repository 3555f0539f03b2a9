import { type ErrorCode, type ExitReason, MmmError } from '@mmm/protocol';

/** What kind of failure it is: from it follows what can mend it. */
export type FailureKind =
  /** It did not come as far as a session. */
  | 'initialization'
  /** The two sides no longer understand each other: only a new session on a new process begins from a known state. */
  | 'communication'
  /** What it needs is not there. It did nothing wrong itself. */
  | 'dependency'
  /** It used up what it may use, or what the machine has. */
  | 'resource'
  /** It ended by itself. */
  | 'crash'
  /** Somebody has to do something first, or it concerns one call only. */
  | 'other';

/**
 * `restart`: counts as a crash and is started again on a new process, as the policy says. `wait`: is started again
 * after a pause and counts as nothing. `none`: is shown and logged; the next call tries once more.
 */
export type Recovery = 'restart' | 'wait' | 'none';

const recoveries: { readonly [K in FailureKind]: Recovery } = {
  initialization: 'restart',
  communication: 'restart',
  dependency: 'wait',
  resource: 'restart',
  crash: 'restart',
  other: 'none',
};

const exitKinds: { readonly [K in ExitReason['kind']]: FailureKind } = {
  requested: 'other',
  clean: 'other',
  exit: 'crash',
  signal: 'crash',
  protocol: 'communication',
  unresponsive: 'communication',
  sandbox: 'initialization',
  start_timeout: 'initialization',
  memory: 'resource',
  cpu: 'resource',
  processes: 'resource',
  disk: 'resource',
};

/** Errors of a launch that another try may not meet. Of all others somebody has to do something about first. */
const launchKinds: { readonly [C in ErrorCode]?: FailureKind } = {
  LAUNCH_FAILED: 'initialization',
  HANDSHAKE_REFUSED: 'initialization',
  START_TIMEOUT: 'initialization',
  PLUGIN_EXITED: 'initialization',
  INTERNAL: 'initialization',
  DEPENDENCY_FAILED: 'dependency',
};

export function exitFailure(reason: ExitReason): FailureKind {
  return exitKinds[reason.kind];
}

export function launchFailure({ code }: Pick<MmmError, 'code'>): FailureKind {
  return launchKinds[code] ?? 'other';
}

export function recoveryOf(kind: FailureKind): Recovery {
  return recoveries[kind];
}

/** Errors of one call that are the plugin's doing and no reason to restart it: they are written into its log. */
const loggedCodes: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  'CALL_TIMEOUT',
  'CALL_REJECTED',
  'RESULT_INVALID',
  'MESSAGE_TOO_LARGE',
]);

export function isLogged({ code }: Pick<MmmError, 'code'>): boolean {
  return loggedCodes.has(code);
}

/**
 * How a launch that failed is counted among the ends of the plugin. Undefined when not a byte of it ran, or when its
 * launch was called off.
 */
export function exitOfLaunch(error: MmmError): ExitReason | undefined {
  if (MmmError.is(error, 'START_TIMEOUT')) {
    const { timeoutMs, stderrTail } = error.data;
    return { kind: 'start_timeout', timeoutMs, stderrTail };
  }
  if (MmmError.is(error, 'HANDSHAKE_REFUSED')) {
    const { reason, stderrTail } = error.data;
    return { kind: 'protocol', detail: reason, stderrTail };
  }
  return MmmError.is(error, 'LAUNCH_FAILED') ? error.data.exit : undefined;
}
