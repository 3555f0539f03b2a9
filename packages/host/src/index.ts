export {
  type CallContext,
  type CapabilityRef,
  type ErrorCode,
  type ErrorData,
  type ErrorHelp,
  type ExitReason,
  errorHelp,
  type FieldIssue,
  type Manifest,
  type ManifestInput,
  MmmError,
  type Permission,
  type ProgressValue,
} from '@mmm/protocol';
export { type Clock, systemClock, type Timer } from '@mmm/rpc';
export type {
  CapabilitySummary,
  ConfigChange,
  ConfigField,
  ConfigReport,
  DevelopmentOptions,
  DoctorCheck,
  DoctorReport,
  ExecuteOptions,
  ExecuteResult,
  GrantReport,
  Host,
  HostOptions,
  InputField,
  InstallOptions,
  InstallReport,
  PermissionSummary,
  Plugin,
  PluginConfig,
  PluginInfo,
  PluginSummary,
  TrustSummary,
  VerifyReport,
} from './api.ts';
export type { AuditEntry, AuditLog } from './audit/audit-log.ts';
export type { Discovery, DiscoveryProblem, SearchEntry } from './discover/scan.ts';
export { defaultSearchPath } from './discover/search-path.ts';
export { type PluginOrigin, type PluginSpec, readSpec } from './discover/spec.ts';
export { suggest } from './discover/suggest.ts';
export { excerpt } from './display/excerpt.ts';
export { describeExit } from './display/exit-error.ts';
export { safeText } from './display/safe-text.ts';
export { createHost } from './host.ts';
export { describeTrust } from './key-changes.ts';
export type { LogLine } from './log/plugin-log.ts';
export { latencyBoundsMs } from './metrics/histogram.ts';
export { grantCommand } from './permit/permit.ts';
export type { PermissionPolicyInput } from './permit/policy.ts';
export type { PermissionPrompter } from './permit/prompt.ts';
export { type RiskLevel, riskInfo } from './permit/risk.ts';
export type { PluginState } from './plugin-state.ts';
export type { RegisteredPlugin } from './registered.ts';
export type { EnforcementReport } from './sandbox/launch-command.ts';
export { type SignedPlugin, signPlugin } from './sign-plugin.ts';
export { sealDescriptors } from './spawn/seal-descriptors.ts';
export type { PluginStatistics } from './store/store.ts';
export { isLeftOut } from './verify/snapshot.ts';
