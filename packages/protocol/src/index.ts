export type { CapabilityKind, CapabilityRef, ShapedKind } from './capability.ts';
export { capabilityKind, capabilityKinds, capabilityRef, chatMessage, kindShapes, passiveKinds } from './capability.ts';
export type { ControlCall, DaemonStatus } from './control.ts';
export { controlCalls, controlMethods, controlVersion } from './control.ts';
export { fromControlError, fromControlValue, toControlError, toControlValue } from './control-values.ts';
export type { ErrorHelp } from './error-help.ts';
export { errorHelp } from './error-help.ts';
export type {
  EndingLimit,
  ErrorCode,
  ErrorData,
  ExitReason,
  FieldIssue,
  ManifestIssue,
  SourceIssue,
  StorageProblem,
} from './errors.ts';
export { endingLimits, exitCodes, MmmError } from './errors.ts';
export { fieldIssues, issueMessage } from './field-issues.ts';
export type { HeardEvents } from './heard-events.ts';
export { heardEvents } from './heard-events.ts';
export type { HostMethods, LogLevel, ProgressValue, ServedHostMethod } from './host-methods.ts';
export { hostMethods, log, logLevel, servedHostMethods, sharedMethods } from './host-methods.ts';
export { wireLimits } from './limits.ts';
export type { CapabilitySection, Framing, Manifest, ManifestInput, SandboxLevel } from './manifest.ts';
export {
  bundlePath,
  capabilitySection,
  dependencySection,
  framing,
  framings,
  limitsSection,
  manifest,
  pluginName,
  pluginSection,
  restartSection,
  runtimes,
  sandboxLevel,
  sandboxLevels,
  semverVersion,
} from './manifest.ts';
export type { AnyMethod, Handlers, Method, Notification, Params, ParamsInput, Result, ResultInput } from './method.ts';
export { method, notification } from './method.ts';
export type { NetworkAddress, Permission, PermissionEntry, PermissionKind, PermissionSet } from './permission.ts';
export {
  grantedPermissions,
  listPermissions,
  networkHost,
  parseNetworkHost,
  parsePermissionKey,
  permissionEntries,
  permissionKey,
  permissionKinds,
  permissionSet,
  permissionSetOf,
} from './permission.ts';
export type { CallContext, Event, InitializeParams, InitializeResult, PluginMethods } from './plugin-methods.ts';
export { callContext, event, initialize, pluginMethods, progressToken, timestamp } from './plugin-methods.ts';
export { sharedNames } from './shared-names.ts';
export type { ProtocolFeature } from './version.ts';
export { hostVersion, protocolFeatures, protocolVersion, supportedProtocolVersions } from './version.ts';
export type { WireErrorData, WireErrorName } from './wire-error.ts';
export { isWireErrorData, RpcError, wireErrorName, wireErrors } from './wire-error.ts';
export { wireErrorData } from './wire-error-data.ts';
