import type { HeardEvents, Permission } from '@mmm/protocol';
import type { TrustSummary } from './api.ts';
import type { RiskLevel } from './risk-level.ts';

/** One permission of a manifest with what was decided about it. */
export interface PermissionSummary {
  readonly permission: Permission;
  /** What `--grant` takes: `filesystem=read:/p`. */
  readonly key: string;
  readonly risk: RiskLevel;
  readonly sentence: string;
  readonly reason: string | null;
  readonly status: 'granted' | 'automatic' | 'missing' | 'optional' | 'refused';
  /** The entry of a policy that decides about it, with its table and file; null when none does. */
  readonly policy: string | null;
}

/** A version that asks for more than its user agreed to: verified, put by, and not run before. */
export interface WaitingUpdate {
  readonly version: string;
  readonly bundleSha256: string;
  readonly trust: TrustSummary;
  /** RFC 3339, UTC. */
  readonly stagedAt: string;
  readonly permissions: readonly PermissionSummary[];
  /** Keys that have to be decided before it becomes the active version. */
  readonly missing: readonly string[];
  /** Keys that the active version does not ask for. */
  readonly added: readonly string[];
  /** Keys that only the active version asks for. */
  readonly removed: readonly string[];
  /** What it would hear of. */
  readonly events: HeardEvents;
  /** The command of its install step, which runs once it is accepted; null when it has none. */
  readonly step: readonly string[] | null;
}

/** The step that a plugin's manifest has run after an installation. */
export interface InstallStepReport {
  readonly command: readonly string[];
  /** `pending`: it has yet to run, at the latest right before the first start. */
  readonly state: 'done' | 'failed' | 'skipped' | 'pending';
  /** Why it failed or could not run yet; empty otherwise. */
  readonly detail: string;
}

export interface GrantReport {
  readonly granted: readonly string[];
  readonly missing: readonly string[];
  /** The version of the update that waited and is now the active one, or null. */
  readonly updated: string | null;
  /** What became of the install step; null when there is none. */
  readonly step: InstallStepReport | null;
}

/** What a plugin may do, and what of it the host saw it do. */
export interface PermissionReport {
  readonly permissions: readonly (PermissionSummary & {
    /** Null where uses cannot be seen: the operating system grants it at the start, and tells nobody. */
    readonly used: {
      readonly uses: number;
      /** RFC 3339, UTC, or null for never. */
      readonly lastUsedAt: string | null;
      readonly denials: number;
      readonly lastDeniedAt: string | null;
    } | null;
  })[];
  /** What it tried and does not ask for in its manifest. */
  readonly refused: readonly { readonly key: string; readonly denials: number; readonly lastDeniedAt: string | null }[];
}
