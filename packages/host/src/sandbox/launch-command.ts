import type { SandboxLevel } from '@mmm/protocol';
import type { EgressPlan } from '../egress/forwarder.ts';
import type { enforcementDimensions } from '../settings/policy.ts';
import type { ShownPath } from './mount.ts';

/** What is really enforced for one launch, per dimension. */
export type Enforcement = 'enforced' | 'partial' | 'declared';
export type EnforcementDimension = (typeof enforcementDimensions)[number];
export type EnforcementReport = Readonly<Record<EnforcementDimension, Enforcement>>;

/** The rungs of the ladder, best first. */
export const sandboxMechanisms = ['bubblewrap', 'landlock', 'none'] as const;
export type SandboxMechanism = (typeof sandboxMechanisms)[number];

/** Bytes handed to the child on one descriptor above 2 and then closed. */
export interface DescriptorInput {
  readonly fd: number;
  readonly bytes: Uint8Array;
}

/** Everything needed to start one confined process, as plain data. */
export interface LaunchCommand {
  readonly level: SandboxLevel;
  /** How it is confined. */
  readonly mechanism: SandboxMechanism;
  readonly file: string;
  readonly args: readonly string[];
  /** The exact environment of the process; nothing is inherited. */
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly descriptors: readonly DescriptorInput[];
  /** The descriptor on which the sandbox reports the inner process and its exit; null without one. */
  readonly statusDescriptor: number | null;
  /** What the filesystem grants show: opened and compared right before the start, and again after the mount. */
  readonly shown: readonly ShownPath[];
  /** The sandbox takes what was opened and compared. False: it waits until somebody looked at what it mounted. */
  readonly bindsDescriptors: boolean;
  /** The sandbox waits on this descriptor before it starts the plugin; null when it waits for nothing. */
  readonly blockDescriptor: number | null;
  /** The way to the granted hosts; null without network grants, and at level none, where nothing stands in between. */
  readonly egress: EgressPlan | null;
  /** The plugin folder and its writable folder as the plugin sees them. */
  readonly pluginDirectory: string;
  readonly dataDirectory: string;
  /** The real uid the plugin runs under. */
  readonly uid: number;
  readonly enforcement: EnforcementReport;
}
