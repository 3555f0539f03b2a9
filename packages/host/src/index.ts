export { type Clock, systemClock, type Timer } from '@mmm/rpc';
export type {
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
export type { LogLine } from './log/plugin-log.ts';
export type { PermissionPolicyInput } from './permit/policy.ts';
export type { PermissionPrompter } from './permit/prompt.ts';
export type { RiskLevel } from './permit/risk.ts';
export type { RegisteredPlugin } from './registered.ts';
export type { EnforcementReport } from './sandbox/launch-command.ts';
export { type SignedPlugin, signPlugin } from './sign-plugin.ts';
export { sealDescriptors } from './spawn/seal-descriptors.ts';
export type { PluginStatistics } from './store/store.ts';
export type { PluginState } from './supervise/state.ts';
export { isLeftOut } from './verify/snapshot.ts';
