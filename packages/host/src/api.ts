import type { KeyRing, TrustStore } from '@mmm/bundle';
import type { CallContext, CapabilityKind, CapabilityRef, ExitReason, Manifest, ProgressValue } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import type { MinisignToVerify, VerifyReport } from './api-bundles.ts';
import type { ConfigChange, ConfigReport, PluginConfig } from './api-config.ts';
import type { HostEvents } from './api-events.ts';
import type { HostMappings } from './api-mappings.ts';
import type { HostMetrics, LogOptions, MetricsOptions } from './api-metrics.ts';
import type {
  GrantReport,
  InstallStepReport,
  PermissionReport,
  PermissionSummary,
  WaitingUpdate,
} from './api-permissions.ts';
import type { HostReload, PluginReload, ReloadReport } from './api-reload.ts';
import type { HostOperation } from './api-settings.ts';
import type { HostStorage } from './api-state.ts';
import type { AuditLog } from './audit/audit-log.ts';
import type { Prompter } from './clients/prompter.ts';
import type { Quarantine, ResetReport } from './crash-history.ts';
import type { DependencyReport } from './dependencies/requirements.ts';
import type { PluginDiagnosis } from './diagnose.ts';
import type { Discovery, SearchEntry } from './discover/scan.ts';
import type { PluginOrigin, PluginSpec } from './discover/spec.ts';
import type { PluginHealth } from './health.ts';
import type { HostKeys } from './host-keys.ts';
import type { InspectReport } from './inspect.ts';
import type { LogLine } from './log/plugin-log.ts';
import type { PackagedPlugin } from './packaging.ts';
import type { PluginState } from './plugin-state.ts';
import type { RegisteredPlugin } from './registered.ts';
import type { EnforcementReport } from './sandbox/launch-command.ts';
import type { SandboxProbe } from './sandbox/probe.ts';
import type { PluginLimits } from './settings/limits.ts';
import type { PermissionPolicyInput } from './settings/policy.ts';
import type { SignedPlugin } from './sign-plugin.ts';
import type { StateStore } from './state/state-store.ts';
import type { StateUse } from './store/state-values.ts';
import type { PluginStatistics } from './store/store.ts';

export interface HostOptions {
  /** Absolute path of the home folder; made with mode 0700 if it is missing. */
  readonly home: string;
  /** The project whose `.mmm/plugins` is searched and that `${project}` in a permission means. Default: none. */
  readonly project?: string;
  /** Replaces the search path. Default: installed, project, user (XDG), system. */
  readonly searchPath?: readonly SearchEntry[];
  /** Plugins that may run at sandbox level `none`, each by its name. Every such launch is audited. Default: none. */
  readonly sandboxNoneFor?: readonly string[];
  /**
   * Plugins that may run confined by Landlock where bubblewrap does not work, each by its name; `sandbox = "landlock"`
   * of the policy says it for all. Every such launch is audited. Default: none.
   */
  readonly sandboxLandlockFor?: readonly string[];
  /** Asked when a launch needs a permission nobody has decided on. Default: such a launch fails. */
  readonly prompter?: Prompter;
  /** Keeps the values of plugins in place of `state.db`. Backups and removals of plugins know nothing of them. */
  readonly stateStore?: StateStore;
  /**
   * What is granted, asked about and refused, beside `[policy]` of `config.toml` in the home. What either refuses or
   * requires holds; of what is granted or asked about, this counts more. Default: the file's alone.
   */
  readonly policy?: PermissionPolicyInput;
  /** Where granted environment variables take their values from. Default: empty. Nothing else of it is passed on. */
  readonly environment?: Readonly<Record<string, string>>;
  /** The one folder that `develop` runs without a signature. Default: none, and nothing unsigned runs by itself. */
  readonly development?: DevelopmentOptions;
  /** Told of each line of each plugin's log, bounded as the log is. Plugins wrote it: show it with `safeText`. */
  readonly onLog?: (plugin: string, line: LogLine) => void;
  /** Who calls, as plugins see it. Default: `{kind: 'host', id: 'host'}`. */
  readonly caller?: CallContext['caller'];
  /** BCP 47. Default: `en`. */
  readonly locale?: string;
  /** Starts no plugin: every start fails as SAFE_MODE. Everything else works. Default: false. */
  readonly safe?: boolean;
  /** Serves the metrics over HTTP, see `MetricsOptions`: `{}` as the settings say. Default: it does not. */
  readonly metrics?: MetricsOptions;
  /** Plugins that are started at one time. Default: as many as there are cores. */
  readonly concurrentStarts?: number;
  readonly clock?: Clock;
  /** All addresses of a granted host, best first; rejects when it has none. Default: the system's resolver. */
  readonly lookup?: (host: string) => Promise<readonly string[]>;
  /** 0 ≤ x < 1, for backoff jitter. */
  readonly random?: () => number;
}

export interface DevelopmentOptions {
  /** Absolute path of the plugin folder. */
  readonly directory: string;
  /** Grants, for as long as the host lives, what the manifest asks for except critical permissions. Stores nothing. */
  readonly grantRequested?: boolean;
  /** Permissions granted for as long as the host lives, spelt as keys. */
  readonly grant?: readonly string[];
}

export interface TrustSummary {
  readonly kind: 'signed' | 'unsigned' | 'registered' | 'unverified';
  readonly keyid?: string;
  readonly keyName?: string;
  /** The whole fingerprint of the key, in groups of four digits. */
  readonly fingerprint?: string;
  /** The first key of the line of rotations that led to it: what it is bound to. */
  readonly publisher?: string;
}

export interface PluginSummary {
  readonly id: string;
  readonly version: string;
  readonly description: string;
  readonly origin: PluginOrigin;
  readonly directory: string;
  readonly enabled: boolean;
  /** Requires permissions that nobody has decided on: it will not start before. */
  readonly needsConsent: boolean;
  /** Plugins that it requires and that are not there as it needs them: it will not start before. */
  readonly unmet: readonly string[];
  readonly state: PluginState['kind'];
  readonly trust: TrustSummary;
  readonly bundleSha256: string | null;
  /** The version of an update that waits for consent, or null. */
  readonly waiting: string | null;
}

/** One field of the input of a capability, as its schema has it. The author wrote it: show it with `safeText`. */
export interface InputField {
  readonly name: string;
  /** JSON types, as the schema names them; empty when it names none. */
  readonly types: readonly string[];
  readonly required: boolean;
  readonly description: string | null;
}

export interface CapabilitySummary {
  readonly kind: CapabilityKind;
  readonly name: string;
  readonly title: string | null;
  readonly description: string | null;
  readonly aliases: readonly string[];
  /** Null when it is not described field by field, or its schema cannot be read. */
  readonly input: readonly InputField[] | null;
}

export interface PluginInfo extends PluginSummary {
  readonly manifest: Manifest;
  readonly capabilities: readonly CapabilitySummary[];
  readonly permissions: readonly PermissionSummary[];
  readonly dependencies: readonly DependencyReport[];
  /** The install step; null when there is none. */
  readonly step: InstallStepReport | null;
  /** The update that waits for consent, or null. `problem` when it cannot be used any more. */
  readonly update: WaitingUpdate | { readonly version: string; readonly problem: string } | null;
  /** What is really enforced: of the running session, else what this machine offers. */
  readonly enforcement: EnforcementReport;
  /** What it may use, by the names and in the units of `[limits]`; Infinity where nothing limits it. */
  readonly limits: PluginLimits;
  readonly configuration: PluginConfig;
  readonly statistics: PluginStatistics;
  /** What it keeps in the host for itself. */
  readonly storedValues: StateUse;
  /** Present while it is not started because it crashed too often, in this host or an earlier one. */
  readonly quarantine: Quarantine | null;
}

export interface InstallOptions {
  /** Grants everything the manifest asks for except critical permissions, which must be named in `grant`. */
  readonly grantRequested?: boolean;
  /** Permissions to grant, spelt as keys. Each must be one the manifest asks for. */
  readonly grant?: readonly string[];
  /** The name of the plugin that may be installed without a signature. Must be this plugin's; audited. */
  readonly allowUnsigned?: string;
  /** Allows an older version than the installed one. Audited. Default: refused with VERSION_DOWNGRADE. */
  readonly allowDowngrade?: boolean;
  /** The name of the plugin of which another content may take the place of one under the same version. Audited. */
  readonly allowVersionReuse?: string;
  /** The name of the plugin that may be replaced by one that another publisher signed. Audited. */
  readonly allowPublisherChange?: string;
  /** False installs it without ever running its install step. Default: true. */
  readonly hooks?: boolean;
  /** Calls the install step off, which then runs before the first start. */
  readonly signal?: AbortSignal;
}

export interface InstallReport {
  readonly id: string;
  readonly version: string;
  readonly bundleSha256: string;
  readonly trust: TrustSummary;
  readonly granted: readonly string[];
  /** Required permissions still without a decision: the plugin will not start until they are granted. */
  readonly missing: readonly string[];
  /** The version that was installed before, or null. */
  readonly replaced: string | null;
  /** `waiting`: it asks for more than was agreed to, and the version before keeps running until somebody agrees. */
  readonly change: 'installed' | 'reinstalled' | 'updated' | 'downgraded' | 'waiting';
  /** Where the data of another publisher's plugin of this name was moved, or null: this one does not get it. */
  readonly dataKept: string | null;
  /** At a first installation: installed plugins of others whose names are easily taken for its own. */
  readonly similar: readonly string[];
  /** What became of the install step; null when there is none. */
  readonly step: InstallStepReport | null;
  /** How what runs of it here was brought to it; null when this host has nothing of it. */
  readonly reload: ReloadReport | null;
}

export interface DoctorCheck {
  readonly name: string;
  readonly status: 'ok' | 'warning' | 'problem';
  readonly message: string;
  /** The command or step that mends it. */
  readonly fix?: string;
}

export interface DoctorReport {
  readonly ok: boolean;
  readonly checks: readonly DoctorCheck[];
  readonly sandbox: SandboxProbe;
}

export interface ExecuteOptions {
  /**
   * The caller's own deadline in milliseconds, queues included: a number above 0, else CONFIG_INVALID. Default: the
   * capability's, else 30 s idle and 10 min in all.
   */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** The plugin sends at most 64 chunks ahead of what this is done with; a promise that it returns is waited for. */
  readonly onProgress?: (value: ProgressValue) => void;
  /** Fail at once with PLUGIN_UNAVAILABLE while the plugin waits to be restarted, instead of waiting with it. */
  readonly failFast?: boolean;
  /**
   * Who is asked what the plugin asks during this call, and about optional permissions that it needs for the first
   * time. Give the same object with all calls of one client, and null when nobody is there. Default: the host's own.
   */
  readonly prompter?: Prompter | null;
  readonly context?: Partial<Pick<CallContext, 'trigger' | 'velocity' | 'current_mode' | 'traceparent' | 'caller'>>;
}

export interface ExecuteResult<T = unknown> {
  readonly output: T;
  /** From the call to its answer, queues and a start included. */
  readonly durationMs: number;
}

/** What a caller holds. Survives restarts of the process; `state` is a snapshot, `changes` the only stream. */
export interface Plugin extends PluginReload {
  readonly id: string;
  readonly spec: PluginSpec;
  readonly state: PluginState;
  /** The pid of the sandbox's first process as the host sees it, or null while none runs. */
  readonly pid: number | null;
  /** Starts it if it is not running; resolves when it answered initialize. Rejects with why it could not. */
  start(): Promise<void>;
  stop(reason?: string): Promise<void>;
  /** Forgets crashes and quarantine. */
  reset(): void;
  /**
   * Runs one capability, by name, alias or `kind:name`; starts the plugin if needed. Always settles. `T` is the
   * caller's word for what the capability answers: only the capability's own output schema is checked.
   */
  execute<T = unknown>(
    capability: string | CapabilityRef,
    input: unknown,
    options?: ExecuteOptions,
  ): Promise<ExecuteResult<T>>;
  complete(
    capability: string | CapabilityRef,
    partial: string,
  ): Promise<readonly { value: string; description?: string }[]>;
  /** True when the running plugin answered anything within the ping deadline; false when it is not running. */
  ping(): Promise<boolean>;
  changes(signal: AbortSignal): AsyncIterable<PluginState>;
  /** The reason of the last end of a session of this host, if there was one. */
  readonly lastExit: ExitReason | null;
}

export interface Host extends HostKeys, HostEvents, HostMappings, HostOperation, HostReload, HostMetrics, HostStorage {
  readonly home: string;
  readonly trust: TrustStore;
  readonly keys: KeyRing;
  readonly audit: AuditLog;
  /** Scans the search path again. Executes nothing. */
  discover(): Promise<Discovery>;
  list(): Promise<readonly PluginSummary[]>;
  info(id: string): Promise<PluginInfo>;
  /** The handle of one plugin. Throws PLUGIN_NOT_FOUND, or the manifest's own error when its folder is broken. */
  plugin(id: string): Promise<Plugin>;
  /**
   * Signs the plugin folder or archive at an absolute path, in place, with one of the own keys: the named one, the only
   * one, or `default`. Signatures of other keys over the same files stay. Throws CONFIG_INVALID for a relative path,
   * KEY_NOT_FOUND, KEY_REVOKED, MANIFEST_*, BUNDLE_INVALID.
   */
  sign(path: string, key?: string): Promise<SignedPlugin>;
  /**
   * Writes the plugin folder at an absolute path as an archive: a file at an absolute path, or in a folder that is
   * there as `NAME-VERSION.mmmp`. The same bytes on every machine. Throws CONFIG_INVALID, MANIFEST_*, BUNDLE_INVALID.
   */
  package(path: string, output: string): Promise<PackagedPlugin>;
  /**
   * Looks into a folder, an archive or a known plugin, trusted or not: files, signatures, what it asks for. Runs
   * nothing. Throws MANIFEST_*, BUNDLE_*, PLUGIN_NOT_FOUND.
   */
  inspect(pathOrId: string): Promise<InspectReport>;
  /**
   * Checks every byte of an installed plugin, of a folder or of an archive against signatures and trust, or an archive
   * against a minisign signature. Throws what is wrong.
   */
  verify(pathOrId: string, options?: { readonly minisign?: MinisignToVerify }): Promise<VerifyReport>;
  /**
   * Verifies the plugin folder or archive at an absolute path, copies it into the home and makes it the active one of
   * its name. Throws CONFIG_INVALID for a relative path, MANIFEST_*, BUNDLE_*, SIGNATURE_*, GRANT_INVALID; what was
   * installed before is then still in place.
   */
  install(path: string, options?: InstallOptions): Promise<InstallReport>;
  remove(id: string, options?: { readonly keepData?: boolean }): Promise<void>;
  /** `allowPublisherChange`: the name of the plugin, which then belongs to whoever signs it now. Audited. */
  enable(id: string, options?: { readonly allowPublisherChange?: string }): Promise<void>;
  disable(id: string): Promise<void>;
  /**
   * Grants what the plugin, or the update that waits for it, asks for. An update that then lacks nothing becomes the
   * active version. Throws GRANT_INVALID, and PERMISSION_DENIED for what the policy refuses.
   */
  /**
   * Forgets the crashes of a plugin and lifts its quarantine, in this host and in those of other processes. What may be
   * the cure does so, too: a new version, grants, a configuration, enabling it. Throws PLUGIN_NOT_FOUND.
   */
  reset(id: string): Promise<ResetReport>;
  grant(id: string, keys: readonly string[]): Promise<GrantReport>;
  /** Drops the update that waits for consent; offered again, it waits again. False when none waits. */
  dropUpdate(id: string): Promise<boolean>;
  /** Takes grants away. What runs is ended within `hostLimits.revokeGraceMs`, in another process within a second. */
  revoke(id: string, keys: readonly string[]): Promise<GrantReport>;
  /** What a plugin may do and, where the host sees it, when it last did. */
  permissions(id: string): Promise<PermissionReport>;
  /** The configuration of a plugin, without its secrets. Throws MANIFEST_INVALID for a schema that cannot be used. */
  config(id: string): Promise<PluginConfig>;
  /**
   * Changes the configuration, and tells the plugin when it runs. Fields that are required may be set one after the
   * other; a plugin that runs takes only a whole configuration. Throws CONFIG_INVALID, with the wrong fields or the
   * plugin's own words; the old configuration is then in force.
   */
  setConfig(id: string, change: ConfigChange): Promise<ConfigReport>;
  /**
   * Runs the development folder as it is now: copies it, starts the copy confined, and ends the one before once the new
   * one has answered. When anything fails the one before stays, and this throws why. It is unsigned, startable in no
   * other way, and has data, grants, log and statistics apart from an installed plugin of the same name. Audited.
   */
  develop(): Promise<Plugin>;
  register(plugin: RegisteredPlugin): Promise<Plugin>;
  unregister(id: string): Promise<void>;
  /** The last lines of its log that are wanted, oldest first. Throws PLUGIN_NOT_FOUND. */
  logs(id: string, options?: LogOptions): Promise<readonly LogLine[]>;
  /** What was counted of its launches and calls, this host's until now included. Throws PLUGIN_NOT_FOUND. */
  statistics(id: string): Promise<PluginStatistics>;
  /** What every known plugin does at this moment, also those that another process of this home runs. */
  health(): Promise<readonly PluginHealth[]>;
  /** Statistics and health of every known plugin in the text format 0.0.4 of Prometheus. */
  metricsText(): Promise<string>;
  /** What is wrong with one plugin, how it ended lately, and what to do next. Starts nothing. */
  diagnose(id: string): Promise<PluginDiagnosis>;
  doctor(): Promise<DoctorReport>;
  /**
   * Stops every plugin, all at once, and closes the stores; within 8 s whatever plugins do. Calls that are open get one
   * second to be answered; the others then fail as HOST_CLOSED, as every later call does. Safe to call twice. A plugin
   * that runs keeps the program alive until then.
   */
  close(): Promise<void>;
  /** As `close`: `await using host = await createHost(…)` closes it on every way out of the block. */
  [Symbol.asyncDispose](): Promise<void>;
}
