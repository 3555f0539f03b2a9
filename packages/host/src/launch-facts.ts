import { type ErrorCode, errorHelp, MmmError } from '@mmm/protocol';
import type { PluginSpec } from './discover/spec.ts';
import type { StandbyLaunch } from './launch.ts';
import type { Snapshot } from './verify/snapshot.ts';

/** What a launch under development has instead of a signature and of stored grants. */
export interface DevelopmentLaunch {
  readonly snapshot: Snapshot;
  readonly allowed: readonly string[];
}

/** How one launch differs from the usual one. */
export interface LaunchKind {
  readonly development?: DevelopmentLaunch;
  /** Whether somebody may be asked for permissions. Default: true. */
  readonly ask?: boolean;
  /** It is started ahead of its use. */
  readonly standby?: StandbyLaunch;
}

/** Refusals of the sandbox. Those of `permit` are recorded where they are made. */
const sandboxRefusals: readonly ErrorCode[] = ['SANDBOX_UNAVAILABLE', 'GRANT_CHANGED', 'GRANT_UNUSABLE'];

/** A launch that is not one because of who vouches for the plugin or what it would be shown: every such is recorded. */
export function isRefusal(error: unknown): error is MmmError {
  if (!(error instanceof MmmError)) return false;
  const code: ErrorCode = error.code;
  // A grant that the sandbox cannot use: a link that somebody put on its way.
  return errorHelp[code].number.startsWith('E02') || sandboxRefusals.includes(code) || code === 'GRANT_INVALID';
}

export function grantInDevelopment(keys: readonly string[]): string {
  return `mmm plugin dev --grant ${keys.map((key) => `'${key}'`).join(' ')} (or --grant-requested)`;
}

/** What the file system said on the way, such as that the disk is full: with its path, and before anything ran. */
export function fromSystem({ id }: PluginSpec, home: string, error: unknown): unknown {
  const isSystemError = error instanceof Error && 'syscall' in error && 'code' in error;
  if (!isSystemError || error instanceof MmmError) return error;
  // A write has no path in its error.
  const reason = 'path' in error ? error.message : `${error.message} (in ${home})`;
  const full = error.code === 'ENOSPC' || error.code === 'EDQUOT';
  const next = full ? 'The disk is full: free some space and try again.' : 'Mend that and try again.';
  const message = `Plugin "${id}" could not be started: ${reason}. ${next}`;
  return new MmmError(
    'LAUNCH_FAILED',
    message,
    { plugin: id, stage: 'sandbox', reason, stderrTail: '' },
    { cause: error },
  );
}

/** A plugin under development whose author starts it for a debugger; of a published one that is not for it to say. */
export function isInspected({ origin, manifest }: PluginSpec): boolean {
  return origin === 'development' && manifest.plugin.command?.some((word) => word.startsWith('--inspect')) === true;
}
