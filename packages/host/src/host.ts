import type { KeyRing, SigningKeyInfo, TrustedKey, TrustStore } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import type {
  ConfigChange,
  ConfigReport,
  DoctorReport,
  GrantReport,
  Host,
  HostOptions,
  InstallOptions,
  InstallReport,
  Plugin,
  PluginConfig,
  PluginInfo,
  PluginSummary,
  VerifyReport,
} from './api.ts';
import { checkArguments } from './arguments.ts';
import type { AuditLog } from './audit/audit-log.ts';
import { capabilitySummaries } from './capability-summary.ts';
import type { Catalog } from './catalog.ts';
import type { Configurations } from './configuration.ts';
import {
  type DecisionServices,
  describe,
  grantPermissions,
  isEnabled,
  revokePermissions,
  summarize,
} from './decisions.ts';
import type { Discovery } from './discover/scan.ts';
import type { PluginSpec } from './discover/spec.ts';
import { examine } from './doctor.ts';
import type { Handles } from './handles.ts';
import { developed, type HostParts, openParts } from './host-parts.ts';
import { recordId } from './identity.ts';
import { installPlugin } from './install.ts';
import { createKey, type KeyServices, type KeyToTrust, revokeKey, signingKey, trustKey } from './key-decisions.ts';
import type { Launcher } from './launcher.ts';
import { hostLimits } from './limits.ts';
import { type LogLine, PluginLog } from './log/plugin-log.ts';
import type { MetricsRecorder } from './metrics/recorder.ts';
import type { ResolvedOptions } from './options.ts';
import type { PluginHandle, PluginServices } from './plugin.ts';
import { type RegisteredPlugin, registeredSpec } from './registered.ts';
import { removePlugin } from './remove.ts';
import { type SignedPlugin, signPlugin } from './sign-plugin.ts';
import type { PluginStatistics, Store } from './store/store.ts';
import { verifyReport } from './verify-report.ts';

/**
 * Opens a host on a home folder. Nothing is started: plugins start at their first call. Throws HOME_INVALID,
 * STATE_UNREADABLE, KEY_INVALID or CONFIG_INVALID.
 */
export async function createHost(options: HostOptions): Promise<Host> {
  return new PluginHost(await openParts(options));
}

/** The public face: each method checks its arguments and calls the function that knows. Wired in host-parts.ts. */
class PluginHost implements Host {
  readonly home: string;
  readonly trust: TrustStore;
  readonly keys: KeyRing;
  readonly audit: AuditLog;
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
    this.#parts = parts;
    this.home = parts.options.home.directory;
    this.trust = parts.trust;
    this.keys = parts.keys;
    this.audit = parts.audit;
    this.#options = parts.options;
    this.#store = parts.store;
    this.#catalog = parts.catalog;
    this.#metrics = parts.metrics;
    this.#configurations = parts.configurations;
    this.#launcher = parts.launcher;
    this.#handles = parts.handles;
  }

  async createKey(name: string): Promise<SigningKeyInfo> {
    this.#assertOpen();
    checkArguments('host.createKey', { name });
    return await createKey(name, this.#decisions);
  }

  async trustKey(key: KeyToTrust): Promise<TrustedKey> {
    this.#assertOpen();
    checkArguments('host.trustKey', { key });
    return await trustKey(key, this.#decisions);
  }

  async revokeKey(key: string, reason: string): Promise<TrustedKey> {
    this.#assertOpen();
    checkArguments('host.revokeKey', { key, reason });
    return await revokeKey(key, reason, this.#decisions);
  }

  async discover(): Promise<Discovery> {
    this.#assertOpen();
    this.#catalog.refresh();
    return await this.#catalog.discovery();
  }

  async list(): Promise<readonly PluginSummary[]> {
    this.#assertOpen();
    const { plugins } = await this.#catalog.discovery();
    return plugins.map((spec) => summarize(spec, this.#decisions, this.#handles.get(spec.id)?.state.kind ?? 'stopped'));
  }

  async info(id: string): Promise<PluginInfo> {
    const spec = await this.#find(id);
    const summary = summarize(spec, this.#decisions, this.#handles.get(id)?.state.kind ?? 'stopped');
    const session = this.#handles.get(id)?.session;
    const enforcement = session?.enforcement ?? (await this.#launcher.probe()).dimensions;
    return {
      ...summary,
      manifest: spec.manifest,
      capabilities: await capabilitySummaries(spec),
      permissions: describe(spec, this.#decisions),
      enforcement,
      configuration: await this.#configurations.showAnyway(spec),
      statistics: this.#metrics.read(id),
    };
  }

  async plugin(id: string): Promise<Plugin> {
    await this.#find(id);
    return await this.#handles.turn(id, async () => {
      const spec = await this.#find(id);
      const existing = this.#handles.get(id)?.spec;
      // Another folder or other bytes than those the handle was made for: the old one is brought to an end first.
      if (existing?.directory === spec.directory && existing.manifestSha256 === spec.manifestSha256) {
        return this.#handles.get(id) as PluginHandle;
      }
      return await this.#handle(spec, 'replaced', (signal) => this.#launcher.launch(spec, signal));
    });
  }

  async sign(path: string, key?: string): Promise<SignedPlugin> {
    this.#assertOpen();
    checkArguments('host.sign', { path, key });
    return await signPlugin(path, await signingKey(key, path, this.#decisions));
  }

  async verify(pathOrId: string): Promise<VerifyReport> {
    this.#assertOpen();
    checkArguments('host.verify', { pathOrId });
    const launch = this.#launcher.verifyServices();
    return await verifyReport(pathOrId, { launch, store: this.#store, find: (id) => this.#find(id) });
  }

  async install(path: string, options: InstallOptions = {}): Promise<InstallReport> {
    this.#assertOpen();
    checkArguments('host.install', { path, options });
    const report = await installPlugin(path, options, { ...this.#decisions, content: this.#parts.content });
    this.#catalog.refresh();
    return report;
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
    });
    this.#catalog.refresh();
  }

  async enable(id: string): Promise<void> {
    await this.#setEnabled(id, true);
  }

  async disable(id: string): Promise<void> {
    await this.#setEnabled(id, false);
    await this.#handles.get(id)?.stop('disabled');
  }

  async grant(id: string, keys: readonly string[]): Promise<GrantReport> {
    checkArguments('host.grant', { id, keys });
    const spec = await this.#find(id);
    const report = grantPermissions(spec, keys, this.#decisions);
    await this.#handles.get(id)?.stop('its permissions changed');
    return report;
  }

  async revoke(id: string, keys: readonly string[]): Promise<GrantReport> {
    checkArguments('host.revoke', { id, keys });
    const spec = await this.#find(id);
    const report = revokePermissions(spec, keys, this.#decisions);
    await this.#handles.get(id)?.stop('its permissions changed');
    return report;
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
    return await this.#configurations.change(await this.#find(id), change, this.#handles.get(id));
  }

  async register(plugin: RegisteredPlugin): Promise<Plugin> {
    this.#assertOpen();
    checkArguments('host.register', { plugin });
    const spec = registeredSpec(plugin);
    return await this.#handles.turn(spec.id, async () => {
      this.#catalog.register(spec);
      return await this.#handle(spec, 'replaced', (signal) => this.#launcher.open(spec, plugin, signal));
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

  async logs(id: string, options: { readonly lines?: number } = {}): Promise<readonly LogLine[]> {
    checkArguments('host.logs', { id, options });
    const spec = await this.#find(id);
    return PluginLog.read(this.#launcher.logFile(spec), { lines: options.lines ?? 200 });
  }

  async statistics(id: string): Promise<PluginStatistics> {
    await this.#find(id);
    return this.#metrics.read(id);
  }

  async doctor(): Promise<DoctorReport> {
    const discovery = await this.discover();
    const probe = await this.#launcher.probe();
    return await examine({ ...this.#decisions, probe, discovery, verify: (id) => this.verify(id) });
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
    const { clock } = this.#options;
    const done = new AbortController();
    const ends = this.#handles.values().map((handle) => handle.close('the host is closing'));
    const stopped = Promise.all([...ends, this.#parts.development?.close()]);
    await Promise.race([stopped, clock.sleep(hostLimits.closeMaxMs, done.signal).catch(() => undefined)]);
    done.abort();
    for (const handle of this.#handles.values())
      handle.session?.kill({ kind: 'requested', detail: 'the host is closing' });
    this.#launcher.close();
    this.#metrics.close();
    this.#store.close();
  }

  /** Within a turn. The one before, if there is one, is ended first. */
  async #handle(spec: PluginSpec, why: string, launch: PluginServices['launch']): Promise<PluginHandle> {
    await this.#handles.end(spec.id, why);
    this.#assertOpen();
    return this.#handles.add(this.#parts.handle(spec, launch));
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

  get #decisions(): DecisionServices & KeyServices {
    return this.#parts.decisions;
  }

  #assertOpen(): void {
    this.#parts.assertOpen();
  }
}
