import type { Permission } from './permission.ts';

/** Why a session ended. `stderrTail` holds the last lines the plugin printed, newest last, bounded by the host. */
export type ExitReason =
  | { readonly kind: 'requested' }
  | { readonly kind: 'clean'; readonly stderrTail: string }
  | { readonly kind: 'exit'; readonly code: number; readonly stderrTail: string }
  | { readonly kind: 'signal'; readonly signal: string; readonly stderrTail: string }
  | { readonly kind: 'protocol'; readonly detail: string; readonly stderrTail: string }
  | { readonly kind: 'unresponsive'; readonly detail: string; readonly stderrTail: string }
  | { readonly kind: 'sandbox'; readonly detail: string; readonly stderrTail: string }
  /** It did not answer `initialize` in time. */
  | { readonly kind: 'start_timeout'; readonly timeoutMs: number; readonly stderrTail: string }
  /** It went over a limit; `detail` names it, its value, what was used, and what to change. */
  | { readonly kind: EndingLimit; readonly detail: string; readonly stderrTail: string };

/** The limits that end a plugin which goes over them; the others refuse or slow down what would. */
export const endingLimits = ['memory', 'cpu', 'processes', 'disk'] as const;
export type EndingLimit = (typeof endingLimits)[number];

/**
 * What each local error carries, for programs to branch on. Local errors have string codes and never cross the wire
 * to a plugin. One table for the library, the CLI and the daemon.
 */
export interface ErrorData {
  MANIFEST_INVALID: { file: string; line: number; column: number; issues: readonly ManifestIssue[] };
  MANIFEST_UNREADABLE: { file: string; reason: string };
  PLUGIN_NOT_FOUND: { plugin: string; known: readonly string[] };
  PLUGIN_INCOMPATIBLE: { plugin: string; needs: string; has: string };
  PLUGIN_NAME_TAKEN: { plugin: string; directories: readonly string[] };
  CAPABILITY_NOT_FOUND: { plugin: string; capability: string; known: readonly string[] };
  PLUGIN_DISABLED: { plugin: string };
  /** `chain` leads from the plugin that was asked for to what is missing; `found` is the version that is there. */
  DEPENDENCY_MISSING: {
    plugin: string;
    dependency: string;
    range: string;
    found: string | null;
    reason: 'missing' | 'disabled' | 'version';
    chain: readonly string[];
  };
  /** The circle begins where the last name of `chain` stands in it for the first time. */
  DEPENDENCY_CYCLE: { plugin: string; chain: readonly string[] };
  DEPENDENCY_FAILED: { plugin: string; dependency: string; cause: string; chain: readonly string[] };
  BUNDLE_INVALID: { directory: string; file: string; reason: string };
  BUNDLE_CHANGED: {
    directory: string;
    file: string;
    reason: 'missing' | 'unlisted' | 'changed' | 'mode' | 'not_a_file';
  };
  SIGNATURE_MISSING: { plugin: string; directory: string };
  SIGNATURE_UNTRUSTED: { plugin: string; keyids: readonly string[] };
  SIGNATURE_REJECTED: { plugin: string; keyid: string; reason: string };
  VERSION_DOWNGRADE: { plugin: string; installed: string; offered: string };
  VERSION_REUSED: { plugin: string; version: string; installedSha256: string; offeredSha256: string };
  KEY_INVALID: { key: string; reason: string };
  KEY_NOT_FOUND: { key: string; known: readonly string[] };
  KEY_EXISTS: { key: string; file: string };
  KEY_REVOKED: { keyid: string; plugin: string };
  BUNDLE_REVOKED: { plugin: string; bundleSha256: string; reason: string };
  KEY_EXPIRED: { keyid: string; plugin: string; notAfter: string };
  KEY_OUT_OF_SCOPE: { keyid: string; plugin: string; scopes: readonly string[] };
  KEY_ROLE_WRONG: { keyid: string; plugin: string; role: string };
  /** `successor` is the keyid of the key that took over. */
  KEY_RETIRED: { keyid: string; plugin: string; successor: string; cutoverAt: string };
  PUBLISHER_CHANGED: { plugin: string; installedBy: string; offeredBy: string };
  STATEMENT_INVALID: { file: string; reason: string };
  STATEMENT_UNTRUSTED: { file: string; reason: string };
  REVOCATIONS_OUTDATED: { issuer: string; version: number; knownVersion: number };
  REVOCATIONS_EXPIRED: { issuer: string; expires: string };
  CONSENT_REQUIRED: { plugin: string; permissions: readonly Permission[] };
  PERMISSION_DENIED: { plugin: string; permission: string };
  /** `where` is the file or program whose policy it is, `setting` the key of it to change. */
  POLICY_REFUSED: { plugin: string; where: string; setting: string; reason: string };
  GRANT_INVALID: { plugin: string; grant: string; reason: string };
  /** `path` leads to something else than when the grant was agreed to. */
  GRANT_CHANGED: { plugin: string; grant: string; path: string };
  GRANT_UNUSABLE: { plugin: string; path: string; uid: number; fix: string };
  SANDBOX_UNAVAILABLE: { plugin: string; wanted: string; reason: string };
  PROGRAM_NOT_FOUND: { plugin: string; program: string; searched: readonly string[] };
  /** `exit` is how its process ended, when one had been started. */
  LAUNCH_FAILED: {
    plugin: string;
    stage: 'sandbox' | 'spawn' | 'handshake';
    reason: string;
    stderrTail: string;
    exit?: ExitReason;
  };
  INSTALL_STEP_FAILED: { plugin: string; reason: string; stderrTail: string };
  HANDSHAKE_REFUSED: { plugin: string; reason: string; stderrTail: string };
  START_TIMEOUT: { plugin: string; timeoutMs: number; stderrTail: string };
  /** `version` is the one that was tried, `kept` the one that goes on, `cause` the code of what went wrong. */
  RELOAD_FAILED: { plugin: string; version: string; kept: string; cause: string };
  ROLLBACK_UNAVAILABLE: { plugin: string; reason: string };
  BUILD_FAILED: { directory: string; issues: readonly SourceIssue[] };
  INPUT_INVALID: { plugin: string; capability: string; issues: readonly FieldIssue[] };
  RESULT_INVALID: { plugin: string; method: string; issues: readonly FieldIssue[] };
  CALL_TIMEOUT: { plugin: string; method: string; timeoutMs: number };
  CALL_CANCELLED: { plugin: string; method: string };
  CALL_REJECTED: { plugin: string; method: string; rpcCode: number; rpcData: unknown };
  MESSAGE_TOO_LARGE: { plugin: string; method: string; bytesMax: number };
  BUSY: { plugin: string; queued: number; queuedMax: number };
  RATE_LIMITED: { plugin: string; callsPerSecond: number; retryAfterMs: number };
  PLUGIN_EXITED: { plugin: string; reason: ExitReason };
  PLUGIN_UNAVAILABLE: { plugin: string; state: string; untilMs: number | null; cause: string };
  HOME_INVALID: { path: string; reason: string };
  DATA_NOT_REMOVED: { plugin: string; path: string; reason: string };
  STATE_UNREADABLE: { file: string; reason: string; problem?: StorageProblem };
  /** `version` is the current one; 0 for a key that is absent. */
  STATE_CONFLICT: { key: string; version: number };
  STATE_QUOTA: { reason: string };
  BACKUP_INVALID: { file: string; reason: string };
  HOME_IN_USE: { home: string; reason: string };
  /** `plugin` when it is the configuration of one; `file` then says where its schema is. */
  CONFIG_INVALID: { file: string; plugin?: string; issues: readonly FieldIssue[] };
  HOST_CLOSED: Record<string, never>;
  SAFE_MODE: { plugin: string };
  /** `pid` of the daemon that has the home, when it answers. */
  DAEMON_RUNNING: { home: string; pid: number | null };
  DAEMON_FAILED: { reason: string };
  USAGE: { argument: string };
  INTERNAL: { detail: string };
}
export type ErrorCode = keyof ErrorData;

/** What kept a file of the host from being read or written, as far as the system says. */
export type StorageProblem = 'full' | 'io' | 'busy' | 'corrupt' | 'newer' | 'other';

export interface FieldIssue {
  readonly path: string;
  readonly message: string;
}
export interface ManifestIssue {
  readonly line: number;
  readonly column: number;
  readonly path: string;
  readonly message: string;
}

/** A place in a source file, line and column from 1, in editors' units. */
export interface SourceIssue {
  /** Relative to the plugin folder. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

/** What an embedder, the CLI and the page see: a code to branch on, typed data, and a sentence that says what to do. */
export class MmmError<C extends ErrorCode = ErrorCode> extends Error {
  override readonly name = 'MmmError';
  readonly code: C;
  readonly data: ErrorData[C];

  constructor(code: C, message: string, data: ErrorData[C], options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.data = data;
  }

  static is<C extends ErrorCode>(error: unknown, code: C): error is MmmError<C> {
    return isMmmError(error) && error.code === code;
  }
}

/** A class that names itself in its own body loses its name in a bundle, and what nobody catches is printed by it. */
function isMmmError(error: unknown): error is MmmError {
  return error instanceof MmmError;
}

/** Exit codes of the `mmm` command; names and numbers are a contract. */
export const exitCodes = {
  ok: 0,
  failed: 1,
  usage: 2,
  consent: 3,
  trust: 4,
  notFound: 5,
  network: 6,
  findings: 7,
  crashed: 8,
  cancelled: 130,
} as const;
