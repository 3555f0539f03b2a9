import type { SandboxLevel } from '@mmm/protocol';
import type { EgressPlan } from '../egress/forwarder.ts';
import type { enforcementDimensions } from '../settings/policy.ts';

/** What is really enforced for one launch, per dimension. */
export type Enforcement = 'enforced' | 'partial' | 'declared';
export type EnforcementDimension = (typeof enforcementDimensions)[number];
export type EnforcementReport = Readonly<Record<EnforcementDimension, Enforcement>>;

/** Bytes handed to the child on one descriptor above 2 and then closed. */
export interface DescriptorInput {
  readonly fd: number;
  readonly bytes: Uint8Array;
}

/** Everything needed to start one confined process, as plain data. */
export interface LaunchCommand {
  readonly level: SandboxLevel;
  /** How it is confined: `bubblewrap`, or `none`. */
  readonly mechanism: 'bubblewrap' | 'none';
  readonly file: string;
  readonly args: readonly string[];
  /** The exact environment of the process; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly descriptors: readonly DescriptorInput[];
  /** The descriptor on which bubblewrap reports the inner process and its exit; null without bubblewrap. */
  readonly statusDescriptor: number | null;
  /** The way to the granted hosts; null without network grants, and at level none, where nothing stands in between. */
  readonly egress: EgressPlan | null;
  /** The plugin folder and its writable folder as the plugin sees them. */
  readonly pluginDirectory: string;
  readonly dataDirectory: string;
  /** The real uid the plugin runs under. */
  readonly uid: number;
  readonly enforcement: EnforcementReport;
}
