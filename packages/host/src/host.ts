import type { KeyRing, TrustStore } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import type {
  DoctorReport,
  Host,
  HostOptions,
  InstallOptions,
  InstallReport,
  Plugin,
  PluginInfo,
  PluginSummary,
} from './api.ts';
import type { MinisignToVerify, VerifyReport } from './api-bundles.ts';
import type { ConfigChange, ConfigReport, PluginConfig } from './api-config.ts';
import type { Mappings } from './api-mappings.ts';
import type { LogOptions } from './api-metrics.ts';
import type { GrantReport, PermissionReport } from './api-permissions.ts';
import type { ListedPlugin } from './api-settings.ts';
import type { HostState } from './api-state.ts';
import { checkArguments } from './arguments.ts';
import type { AuditLog } from './audit/audit-log.ts';
import { type BackupReport, backUp } from './backup-home.ts';
import type { Catalog } from './catalog.ts';
import { endAll } from './close-order.ts';
import type { Configurations } from './configuration.ts';
import { type CrashHistoryServices, type ResetReport, resetCrashes } from './crash-history.ts';
import { type DecisionServices, isEnabled } from './decisions.ts';
import { diagnose, type PluginDiagnosis } from './diagnose.ts';
import type { Discovery } from './discover/scan.ts';
import type { PluginSpec } from './discover/spec.ts';
import { examine } from './doctor.ts';
import type { EventsOfHost } from './events-of-host.ts';
import type { Handles } from './handles.ts';
import { type HealthServices, healthOf, metricsText, type PluginHealth } from './health.ts';
import { developed, type HostParts, openParts } from './host-parts.ts';
import { ReloadMethods } from './host-reload.ts';
import { recordId } from './identity.ts';
import { type InspectReport, inspect } from './inspect.ts';
import { installPlugin } from './install.ts';
import { type KeyServices, signingKey } from './key-decisions.ts';
import type { Launcher } from './launcher.ts';
import { type FollowOptions, followLog } from './log/follow-log.ts';
import { type LogLine, PluginLog } from './log/plugin-log.ts';
import type { MetricsRecorder } from './metrics/recorder.ts';
import type { ResolvedOptions } from './options.ts';
import { listPlugins, pluginInfo } from './overview.ts';
import { type PackagedPlugin, packagePlugin, signArchive } from './packaging.ts';
import { isArchive } from './plugin-source.ts';
import { acceptPublisher } from './publisher-change.ts';
import { type RegisteredPlugin, registeredSpec } from './registered.ts';
import { removePlugin } from './remove.ts';
import { type SignedPlugin, signPlugin } from './sign-plugin.ts';
import type { SetAside } from './state-file.ts';
import { stateOf } from './storage.ts';
import type { PluginStatistics, Store } from './store/store.ts';
import { verify } from './verify/verify.ts';
import { verifyReport } from './verify-report.ts';
import { checkNamed } from './version-change.ts';

/**
 * Opens a host on a home folder. Nothing is started: plugins start at their first call. Throws HOME_INVALID,
 * STATE_UNREADABLE, KEY_INVALID or CONFIG_INVALID.
 */
export async function createHost(options: HostOptions): Promise<Host> {
  return new PluginHost(await openParts(options));
}

/** The public face: each method checks its arguments and calls the function that knows. Wired in host-parts.ts. */
class PluginHost extends ReloadMethods implements Host {
  readonly home: string;
  readonly trust: TrustStore;
  readonly keys: KeyRing;
  readonly audit: AuditLog;
  readonly state: HostState;
  readonly events: EventsOfHost;
  readonly emit: Host['emit'];
  readonly mappings: Mappings;
  readonly setAside: SetAside | null;
  readonly #options: ResolvedOptions;
  readonly #store: Store;
  readonly #parts: HostParts;
  readonly #catalog: Catalog;
  readonly #metrics: MetricsRecorder;
  readonly #configurations: Configurations;
  readonly #launcher: Launcher;
  readonly #handles: Handles;
  #closed: Promise<void> | undefined;

  constructor(parts: HostParts) {
    super(parts);
    this.#parts = parts;
    this.home = parts.options.home.directory;
    this.trust = parts.trust;
    this.keys = parts.keys;
    this.audit = parts.audit;
    this.events = parts.events.api(() => this.#assertOpen());
    this.emit = (type, data, options) => this.events.emit(type, data, options);
    this.mappings = parts.mappings.api(() => this.#assertOpen());
    this.#options = parts.options;
    this.#store = parts.store;
    this.#catalog = parts.catalog;
    this.#metrics = parts.metrics;
    this.#configurations = parts.configurations;
    this.#launcher = parts.launcher;
    this.#handles = parts.handles;
    this.setAside = parts.setAside;
    this.state = stateOf(parts, (id) => this.#find(id));
  }

  async discover(): Promise<Discovery> {
    this.#assertOpen();
    this.#catalog.refresh();
    return await this.#catalog.discovery();
  }

  async list(): Promise<readonly PluginSummary[]> {
    this.#assertOpen();
    return await listPlugins(this.#parts);
  }

  async info(id: string): Promise<PluginInfo> {
    return await pluginInfo(await this.#find(id), this.#parts);
  }

  async reset(id: string): Promise<ResetReport> {
    return resetCrashes(await this.#find(id), this.#history(id));
  }

  async plugin(id: string): Promise<Plugin> {
    this.#assertOpen();
    checkArguments('a method of the host', { id });
    return await this.#parts.plugins.open(id);
  }

  async sign(path: string, key?: string): Promise<SignedPlugin> {
    this.#assertOpen();
    checkArguments('host.sign', { path, key });
    const own = await signingKey(key, path, this.#decisions);
    const { keyid, fingerprint } = own;
    this.audit.append({ action: 'key', detail: { event: 'used', keyid, fingerprint, path } });
    return isArchive(path)
      ? await signArchive(path, own, this.#launcher.verifyServices())
      : await signPlugin(path, own);
  }

  async package(path: string, output: string): Promise<PackagedPlugin> {
    this.#assertOpen();
    checkArguments('host.package', { path, output });
    return await packagePlugin(path, output);
  }

  async inspect(pathOrId: string): Promise<InspectReport> {
    this.#assertOpen();
    checkArguments('host.inspect', { pathOrId });
    const services = { ...this.#decisions, ...this.#launcher.verifyServices(), find: (id: string) => this.#find(id) };
    return await inspect(pathOrId, services);
  }

  async verify(pathOrId: string, options: { readonly minisign?: MinisignToVerify } = {}): Promise<VerifyReport> {
    this.#assertOpen();
    checkArguments('host.verify', { pathOrId, options });
    const launch = this.#launcher.verifyServices();
    return await verifyReport(pathOrId, options.minisign, { launch, store: this.#store, find: (id) => this.#find(id) });
  }

  async install(path: string, options: InstallOptions = {}): Promise<InstallReport> {
    this.#assertOpen();
    checkArguments('host.install', { path, options });
    const report = await installPlugin(path, options, { ...this.#decisions, content: this.#parts.content });
    this.#catalog.refresh();
    // Another content has other faults.
    if (report.change === 'waiting') return report;
    await this.reset(report.id);
    const step = await this.#parts.consents.installed(report, options.signal);
    return { ...report, step, reload: await this.#parts.updates.activated(report.id) };
  }

  async remove(id: string, options: { readonly keepData?: boolean } = {}): Promise<void> {
    this.#assertOpen();
    checkArguments('host.remove', { id, options });
    const spec = await this.#catalog.find(id).catch(() => undefined);
    await this.#handles.turn(id, async () => {
      await this.#handles.end(id, 'removed');
      await removePlugin(id, spec, options.keepData === true, {
        ...this.#decisions,
        content: this.#parts.content,
        metrics: this.#metrics,
        configurations: this.#configurations,
      });
      this.#parts.crashes.forget(id);
      this.#launcher.uses.forget(id);
    });
    // Not within the turn, for which the delivery of an event may be waiting.
    await this.#parts.events.removed(id);
  }

  async enable(id: string, options: { readonly allowPublisherChange?: string } = {}): Promise<void> {
    checkArguments('host.enable', { id, options });
    if (options.allowPublisherChange !== undefined) {
      const spec = await this.#find(id);
      checkNamed(id, spec.directory, options);
      const { trust } = await verify(spec, this.#launcher.verifyServices());
      acceptPublisher(spec, trust, this.#decisions);
    }
    await this.#setEnabled(id, true);
    await this.reset(id);
  }

  async disable(id: string): Promise<void> {
    await this.#setEnabled(id, false);
    await this.#handles.get(id)?.stop('disabled');
  }

  async grant(id: string, keys: readonly string[]): Promise<GrantReport> {
    checkArguments('host.grant', { id, keys });
    const report = await this.#parts.consents.grant(await this.#find(id), keys);
    await this.reset(id);
    return report;
  }

  async revoke(id: string, keys: readonly string[]): Promise<GrantReport> {
    checkArguments('host.revoke', { id, keys });
    return await this.#parts.consents.revoke(await this.#find(id), keys);
  }

  async dropUpdate(id: string): Promise<boolean> {
    return await this.#parts.consents.dropUpdate(await this.#find(id));
  }

  async permissions(id: string): Promise<PermissionReport> {
    return this.#parts.consents.permissions(await this.#find(id));
  }

  async develop(): Promise<Plugin> {
    this.#assertOpen();
    return await developed(this.#parts.development);
  }

  async config(id: string): Promise<PluginConfig> {
    return await this.#configurations.show(await this.#find(id));
  }

  async setConfig(id: string, change: ConfigChange): Promise<ConfigReport> {
    checkArguments('host.setConfig', { id, change });
    const report = await this.#configurations.change(await this.#find(id), change, this.#handles.get(id));
    await this.reset(id);
    return report;
  }

  async register(plugin: RegisteredPlugin): Promise<Plugin> {
    this.#assertOpen();
    checkArguments('host.register', { plugin });
    const spec = registeredSpec(plugin);
    return await this.#handles.turn(spec.id, async () => {
      this.#catalog.register(spec);
      return await this.#parts.plugins.replace(spec, 'replaced', (signal) => this.#launcher.open(spec, plugin, signal));
    });
  }

  async unregister(id: string): Promise<void> {
    this.#assertOpen();
    checkArguments('a method of the host', { id });
    if (!this.#catalog.unregister(id)) {
      throw new MmmError('PLUGIN_NOT_FOUND', `No plugin "${id}" was registered by this program.`, {
        plugin: id,
        known: [],
      });
    }
    await this.#handles.turn(id, () => this.#handles.end(id, 'unregistered'));
  }

  async logs(id: string, options: LogOptions = {}): Promise<readonly LogLine[]> {
    checkArguments('host.logs', { id, options });
    const spec = await this.#find(id);
    return PluginLog.read(this.#launcher.logFile(spec), { ...options, lines: options.lines ?? 200 });
  }

  async reloadSettings(): Promise<void> {
    this.#assertOpen();
    await this.#options.live.reload();
    this.#catalog.refresh();
  }

  async listedPlugins(): Promise<readonly ListedPlugin[]> {
    return this.#parts.listed.report(await this.discover());
  }

  async *followLog(id: string, options: FollowOptions = {}): AsyncGenerator<LogLine, void, undefined> {
    const { signal, ...rest } = options;
    checkArguments('host.logs', { id, options: rest });
    const file = this.#launcher.logFile(await this.#find(id));
    yield* followLog(file, { lines: rest.lines ?? 10, signal, clock: this.#options.clock });
  }

  async statistics(id: string): Promise<PluginStatistics> {
    await this.#find(id);
    return this.#metrics.read(id);
  }

  async backup(file: string): Promise<BackupReport> {
    this.#assertOpen();
    checkArguments('host.backup', { file });
    return await backUp(file, this.#decisions);
  }

  async health(): Promise<readonly PluginHealth[]> {
    this.#assertOpen();
    return healthOf((await this.#catalog.discovery()).plugins, this.#health);
  }

  async metricsText(): Promise<string> {
    this.#assertOpen();
    return metricsText((await this.#catalog.discovery()).plugins, this.#health);
  }

  async diagnose(id: string): Promise<PluginDiagnosis> {
    const spec = await this.#find(id);
    const probe = await this.#launcher.probe();
    return await diagnose(spec, { ...this.#parts, probe, verify: () => this.verify(id) });
  }

  async doctor(): Promise<DoctorReport> {
    const discovery = await this.discover();
    const probe = await this.#launcher.probeEveryRung();
    return await examine({
      controlGroup: this.#parts.resources.controlGroup,
      acceptsLandlock: this.#options.policy.acceptsLandlock,
      ...this.#decisions,
      settings: this.#options.settings,
      logs: this.#launcher.logs,
      probe,
      discovery,
      needed: await this.#parts.dependencies.reports(discovery.plugins),
      verify: (id) => this.verify(id),
    });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#parts.close();
    await Promise.all([this.#parts.mappings.close(), this.#parts.events.close()]);
    await endAll(this.#handles.values(), this.#parts.development?.close(), this.#options.clock);
    this.#launcher.close();
    this.#metrics.close();
    this.#parts.crashes.flush();
    this.#store.close();
  }

  async #find(id: string): Promise<PluginSpec> {
    this.#assertOpen();
    checkArguments('a method of the host', { id });
    return await this.#catalog.find(id);
  }

  async #setEnabled(id: string, enabled: boolean): Promise<void> {
    const spec = await this.#find(id);
    if (isEnabled(spec, this.#decisions) === enabled) return;
    this.audit.append({ action: enabled ? 'enable' : 'disable', plugin: id, detail: { directory: spec.directory } });
    this.#store.plugins.setEnabled(recordId(spec), enabled);
    this.#parts.enabled.forget();
  }

  #history(id: string): CrashHistoryServices {
    return { crashes: this.#parts.crashes, handle: this.#handles.get(id) };
  }

  get #health(): HealthServices {
    const { handles, metrics, crashes, launcher } = this.#parts;
    return { handles, metrics, crashes, records: launcher.records };
  }

  get #decisions(): DecisionServices & KeyServices {
    return this.#parts.decisions;
  }

  #assertOpen(): void {
    this.#parts.assertOpen();
  }
}
