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
  DevelopmentOptions,
  DoctorCheck,
  DoctorReport,
  ExecuteOptions,
  ExecuteResult,
  Host,
  HostOptions,
  InputField,
  InstallOptions,
  InstallReport,
  Plugin,
  PluginInfo,
  PluginSummary,
  TrustSummary,
} from './api.ts';
export type { MinisignReport, MinisignToVerify, VerifyReport } from './api-bundles.ts';
export type { ConfigChange, ConfigField, ConfigReport, PluginConfig } from './api-config.ts';
export type {
  ActionReport,
  ConsumerStatus,
  DeadLetter,
  EmitOptions,
  EmitReport,
  EventFilter,
  EventRecord,
  EventStatus,
  Events,
  FollowEventsOptions,
} from './api-events.ts';
export type {
  MappingFired,
  MappingInfo,
  MappingProblem,
  Mappings,
  MappingsReport,
  MappingTest,
  MappingTrial,
  ModeInfo,
  TriggerInfo,
} from './api-mappings.ts';
export type { HostMetrics, LogOptions, MetricsOptions } from './api-metrics.ts';
export type {
  GrantReport,
  InstallStepReport,
  PermissionReport,
  PermissionSummary,
  WaitingUpdate,
} from './api-permissions.ts';
export type { HostReload, PluginReload, ReloadReport, RollbackReport } from './api-reload.ts';
export type { ListedPlugin } from './api-settings.ts';
export type { HostState, StateEntry, StateOperation, StatePlace } from './api-state.ts';
export { type AuditEntry, type AuditFilter, AuditLog } from './audit/audit-log.ts';
export type { AuditRecord } from './audit/chain.ts';
export type { BackupReport } from './backup-home.ts';
export type { PermissionPrompter, Prompter, UserQuestion } from './clients/prompter.ts';
export type { Quarantine, ResetReport } from './crash-history.ts';
export { DaemonClient, type DaemonClientOptions } from './daemon/connect-daemon.ts';
export type { Daemon } from './daemon/daemon.ts';
export type { HostClient, OwnKey, PluginClient } from './daemon/host-client.ts';
export type { DependencyReport, DependencyStatus } from './dependencies/requirements.ts';
export type { PluginDiagnosis } from './diagnose.ts';
export type { Discovery, DiscoveryProblem, SearchEntry } from './discover/scan.ts';
export { defaultSearchPath } from './discover/search-path.ts';
export { type PluginOrigin, type PluginSpec, readSpec } from './discover/spec.ts';
export { excerpt } from './display/excerpt.ts';
export { describeExit } from './display/exit-error.ts';
export { safeText } from './display/safe-text.ts';
export type { PluginHealth } from './health.ts';
export { createHost } from './host.ts';
export type { InspectReport, SignatureSummary } from './inspect.ts';
export { describeTrust } from './key-changes.ts';
export type { KeyToTrust } from './key-decisions.ts';
export type { RevocationsReport, RevocationsToIssue, RotationReport } from './key-statements.ts';
export { hostLimits } from './limits.ts';
export type { LogLine } from './log/plugin-log.ts';
export { latencyBoundsMs } from './metrics/histogram.ts';
export { prometheusMediaType } from './metrics/prometheus.ts';
export type { PackagedPlugin } from './packaging.ts';
export { grantCommand } from './permit/permit.ts';
export { riskInfo } from './permit/risk.ts';
export type { PluginState } from './plugin-state.ts';
export type { RegisteredPlugin } from './registered.ts';
export { type RestoreReport, restoreHome } from './restore-home.ts';
export type { RiskLevel } from './risk-level.ts';
export {
  connectDaemon,
  type DaemonConnection,
  type DaemonEnd,
  findDaemon,
  type RunDaemonOptions,
  runDaemon,
  stopDaemon,
} from './run-daemon.ts';
export type { EnforcementReport } from './sandbox/launch-command.ts';
export type { LimitName, PluginLimits } from './settings/limits.ts';
export type { PermissionPolicyInput } from './settings/policy.ts';
export { type SignedPlugin, signPlugin } from './sign-plugin.ts';
export { suggest } from './source/suggest.ts';
export { sealDescriptors } from './spawn/seal-descriptors.ts';
export { StateRefusal } from './state/refusal.ts';
export type { StateStore } from './state/state-store.ts';
export type { SetAside } from './state-file.ts';
export type { CounterName, PluginStatistics, RecordedSeries } from './store/store.ts';
