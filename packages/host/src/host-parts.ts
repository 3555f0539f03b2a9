import { ContentStore, KeyRing, SignatureMemo, TrustStore } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import type { HostOptions, Plugin } from './api.ts';
import { AuditLog } from './audit/audit-log.ts';
import { SchemaValidator } from './call/schema.ts';
import { Catalog } from './catalog.ts';
import { inTurn } from './clients/in-turn.ts';
import { Configurations } from './configuration.ts';
import { Consents } from './consents.ts';
import { type DecisionServices, EnabledCheck, isEnabled } from './decisions.ts';
import { DependencyStarts } from './dependency-starts.ts';
import { Development } from './development.ts';
import { defaultSearchPath } from './discover/search-path.ts';
import type { PluginSpec } from './discover/spec.ts';
import { EventSystem } from './event-services.ts';
import { finishActivations } from './finish-activations.ts';
import { placeOfPermission } from './granted-places.ts';
import { Handles } from './handles.ts';
import type { Session } from './handshake/session.ts';
import { metricsText } from './health.ts';
import { openHostServices } from './host-services.ts';
import { recordId } from './identity.ts';
import type { KeyServices } from './key-decisions.ts';
import { Launcher, type LauncherParts } from './launcher.ts';
import { ListedPlugins } from './listed-plugins.ts';
import { openMappings } from './mapping-services.ts';
import type { MappingsOfHost } from './mappings-of-host.ts';
import type { MetricsEndpoint } from './metrics/endpoint.ts';
import { MetricsRecorder } from './metrics/recorder.ts';
import { OpenPlugins } from './open-plugins.ts';
import { type ResolvedOptions, resolveOptions } from './options.ts';
import { PluginHandle } from './plugin.ts';
import { PluginResources } from './plugin-resources.ts';
import type { PluginServices } from './plugin-services.ts';
import { RateLimits } from './rate-limits.ts';
import { Reloads } from './reload.ts';
import { openMetrics } from './serve-metrics.ts';
import { suggest } from './source/suggest.ts';
import { openStateFile, type SetAside } from './state-file.ts';
import { CrashMemories } from './store/crash-memory.ts';
import type { PlaceOf, Store } from './store/store.ts';
import { supervisionOf } from './supervision.ts';
import { TrustWatch } from './trust-watch.ts';
import { Updates } from './updates.ts';

/** Everything one host is made of, wired once. Policy lives in the stages, state in the store and the supervisors. */
export interface HostParts {
  readonly options: ResolvedOptions;
  readonly trust: TrustStore;
  readonly keys: KeyRing;
  readonly audit: AuditLog;
  readonly store: Store;
  /** What was damaged when it was opened; null as a rule. */
  readonly setAside: SetAside | null;
  readonly catalog: Catalog;
  readonly listed: ListedPlugins;
  readonly events: EventSystem;
  readonly content: ContentStore;
  readonly metrics: MetricsRecorder;
  readonly configurations: Configurations;
  readonly resources: PluginResources;
  readonly launcher: Launcher;
  readonly handles: Handles;
  readonly plugins: OpenPlugins;
  readonly dependencies: DependencyStarts;
  readonly consents: Consents;
  readonly reloads: Reloads;
  readonly mappings: MappingsOfHost;
  readonly updates: Updates;
  readonly endpoint: MetricsEndpoint | undefined;
  readonly enabled: EnabledCheck;
  readonly crashes: CrashMemories;
  readonly development: Development | undefined;
  readonly decisions: DecisionServices & KeyServices;
  handle(spec: PluginSpec, launch: (signal: AbortSignal) => Promise<Session>): PluginHandle;
  /** False after `close()`. */
  isOpen(): boolean;
  /** Throws HOST_CLOSED after `close()`. */
  assertOpen(): void;
  /** From here on nothing new begins; what runs is ended by the caller. */
  close(): void;
}

/** Tries under development say nothing about the installed plugin of that name. */
const uncounted: PluginServices['metrics'] = {
  loaded: () => undefined,
  called: () => undefined,
  exited: () => undefined,
  restarted: () => undefined,
};

/** Throws HOME_INVALID, STATE_UNREADABLE, KEY_INVALID or CONFIG_INVALID. */
export async function openParts(given: HostOptions): Promise<HostParts> {
  const options = await resolveOptions(given);
  const { home, project, clock, policy } = options;
  const trust = await TrustStore.open(home.trustFile);
  const placeOf: PlaceOf = (permission) => placeOfPermission(permission, project);
  const { store, setAside } = openStateFile(home, { clock, placeOf });
  const searchPath = given.searchPath ?? defaultSearchPath({ home: home.directory, project });
  const listed = new ListedPlugins(home, options.live);
  const entries = () => [...searchPath, ...listed.searchEntries()];
  const catalog = new Catalog(entries, home.manifestsFile, () => clock.now());
  const keys = new KeyRing(home.keys);
  const audit = new AuditLog({
    ...{ directory: home.audit, chain: store.chain, clock },
    redact: (plugin, detail) => configurations.redacted(plugin, detail),
    onAppended: (entry) => events.observer.decided(entry),
  });
  const content = new ContentStore(home.store);
  await content.clean();
  finishActivations(home, store);
  const now = (): Date => new Date(clock.now());
  const configurations = new Configurations({ home, store, trust, audit, now });
  const memo = new SignatureMemo(home.memoFile);
  const resources = new PluginResources({ clock, audit, settings: () => options.settings.limits });
  const watch = new TrustWatch({ trust, clock, audit });
  const onWithdrawn: LauncherParts['onWithdrawn'] = (spec, error) => handles.get(spec.id)?.withdraw(spec, error);
  const onRevoked: LauncherParts['onRevoked'] = (spec, reason) => void consents.end(spec, reason);
  const metrics = new MetricsRecorder(store.statistics, clock);
  const kept = { options, trust, store, audit, content, memo, listed, configurations, resources, metrics };
  const handles = new Handles();
  const note: PluginNote = (spec, level, message) => launcher.note(spec, level, message);
  const events = new EventSystem(options, store, () => ({ ...kept, catalog, handles, plugins, note }));
  const services = openHostServices({ ...kept, catalog, handles, events, open: (id) => plugins.open(id) });
  const launcher = new Launcher({
    ...{ ...kept, services, watch, onWithdrawn, onRevoked },
    onChanged: () => reloads.lookAround(),
  });
  launcher.reap();
  const life = openLife();
  const dependencies = new DependencyStarts({
    handles,
    plugins: async () => (await catalog.discovery()).plugins,
    isEnabled: (spec) => isEnabled(spec, { store }),
    open: (id) => plugins.open(id),
  });
  const base = {
    ...{ ...kept, keys, setAside, events, catalog, launcher, handles, dependencies },
    enabled: new EnabledCheck(store, clock),
    crashes: new CrashMemories(store.crashes, clock),
    decisions: {
      keys,
      store,
      trust,
      policy,
      audit,
      home,
      project,
      now,
      trustChanged: () => watch.check(),
      get currentRevocations() {
        return options.settings.trust?.expired_revocations === 'refuse';
      },
      boundPublisher: (spec: PluginSpec) => store.plugins.publisherOf(recordId(spec)),
    },
    ...life,
  };
  const opened = openHandles(base);
  const { consents, plugins, reloads } = opened;
  return { ...base, ...opened, ...(await withMetrics(base)) };
}

/** Serves the metrics, if that is wanted, until the host is told to close. */
async function withMetrics(base: BaseParts): Promise<Pick<HostParts, 'endpoint' | 'close'>> {
  const { options, catalog, launcher, close } = base;
  const health = { ...base, records: launcher.records };
  const text = async (): Promise<string> => metricsText((await catalog.discovery()).plugins, health);
  const endpoint = await openMetrics(options, text);
  const closeBoth = (): void => {
    void endpoint?.close();
    close();
  };
  return { endpoint, close: closeBoth };
}

/** What makes, replaces and ends handles. */
function openHandles(base: BaseParts): Omit<HostParts, keyof BaseParts | 'endpoint'> {
  const { options, catalog, handles, store, launcher, assertOpen } = base;
  const catchUp = (id: string) => reloads.catchUp(id);
  const consents = openConsents(base, (id) => updates.activated(id));
  const services = pluginServices(base, { reloads: () => reloads, mappings: () => mappings });
  const reloads = new Reloads({
    ...{ catalog, handles, store, services, clock: options.clock },
    open: (id) => plugins.asItIs(id),
    launch: (spec, signal) => launcher.launch(spec, signal),
  });
  const handle: HostParts['handle'] = (spec, launch) => new PluginHandle(spec, services(spec, launch));
  const plugins = new OpenPlugins({ catalog, handles, launcher, handle, catchUp, assertOpen });
  const mappings = openMappings({ ...base, plugins });
  const development = options.development && openDevelopment(options.development, base, services);
  const verifyServices = () => launcher.verifyServices();
  const updates = new Updates({ decisions: base.decisions, content: base.content, reloads, verifyServices });
  return { consents, handle, plugins, reloads, updates, mappings, development };
}

/** Throws CONFIG_INVALID when the host was opened without a development folder. */
export async function developed(development: Development | undefined): Promise<Plugin> {
  if (development !== undefined) return await development.next();
  const issues = [{ path: 'development', message: 'is not set' }];
  const message = 'This host was opened without a development folder. Pass `development` to createHost.';
  throw new MmmError('CONFIG_INVALID', message, { file: 'options', issues });
}

type BaseParts = Omit<
  HostParts,
  'consents' | 'handle' | 'plugins' | 'development' | 'reloads' | 'updates' | 'endpoint' | 'mappings'
>;
/** What is there when the first plugin is started, and not before. */
interface LaterParts {
  reloads(): Reloads;
  mappings(): Pick<MappingsOfHost, 'isNeeded'>;
}
type PluginNote = Launcher['note'];
type LaunchNew = (signal: AbortSignal) => Promise<Session>;
type ServicesOf = (spec: PluginSpec, launch: LaunchNew) => PluginServices;

function openDevelopment(
  settings: NonNullable<ResolvedOptions['development']>,
  { options, audit, launcher }: BaseParts,
  services: ServicesOf,
): Development {
  return new Development({
    options: settings,
    home: options.home,
    project: options.project,
    audit,
    launch: (spec, development, signal) => launcher.launch(spec, signal, { development }),
    handle: (spec, launch) => new PluginHandle(spec, { ...services(spec, launch), metrics: uncounted }),
  });
}

function openConsents(
  { options, decisions, content, catalog, handles, launcher }: BaseParts,
  activated: (id: string) => Promise<unknown>,
): Consents {
  return new Consents({
    ...{ decisions, content, catalog, handles, clock: options.clock },
    live: launcher.live,
    verifyServices: () => launcher.verifyServices(),
    activated,
    prepare: (spec, signal) => launcher.prepare(spec, signal),
    cutNetwork: (spec) => launcher.cutNetwork(spec),
    flushUses: () => launcher.uses.flush(),
  });
}

function pluginServices(parts: BaseParts, later: LaterParts): ServicesOf {
  const { options, metrics, configurations, resources, launcher, enabled, dependencies, crashes, ...life } = parts;
  const schemas = new SchemaValidator({ suggest });
  const rates = new RateLimits({ clock: options.clock, audit: parts.audit, metrics });
  const assertUsable = (spec: PluginSpec): void => {
    life.assertOpen();
    if (options.safe) throw notInSafeMode(spec.id);
    enabled.assert(spec);
  };
  return (spec, launch) => ({
    clock: options.clock,
    random: options.random,
    metrics,
    schemas,
    caller: options.caller,
    prompter: options.prompter,
    inLine: (prompter) => inTurn(prompter, options.clock),
    redactor: configurations.redactor(spec),
    limits: resources.limitsOf(spec),
    called: () => resources.called(),
    ...supervisionOf(spec, { options, launcher, crashes, assertUsable: () => assertUsable(spec) }),
    launch: async (signal, takeSpare) => {
      await dependencies.start(spec, { signal });
      return (await takeSpare(signal)) ?? (await launch(signal));
    },
    needs: needsOf(spec, dependencies),
    stopDependents: () => dependencies.stopDependents(spec.id),
    isNeeded: () => dependencies.isNeeded(spec.id) || later.mappings().isNeeded(spec.id),
    assertUsable: () => assertUsable(spec),
    isOpen: life.isOpen,
    readFile: (path) => launcher.readFile(spec, path),
    rateLimited: (error) => rates.refused(spec.id, error, (message) => launcher.note(spec, 'warn', message)),
    latest: () => later.reloads().latest(spec),
    restart: () => later.reloads().reload(spec.id, { start: true }),
    observe: (change) => parts.events.observer.changed(spec, change),
    note: (level, message) => launcher.note(spec, level, message),
  });
}

function needsOf(spec: PluginSpec, dependencies: DependencyStarts): PluginServices['needs'] {
  if (spec.manifest.dependencies.length === 0) return undefined;
  return { areRunning: () => dependencies.areRunning(spec), start: (wait) => dependencies.start(spec, wait) };
}

function notInSafeMode(plugin: string): MmmError<'SAFE_MODE'> {
  const message = `"${plugin}" was not started: this host is in safe mode, in which no plugin runs.`;
  return new MmmError('SAFE_MODE', message, { plugin });
}

function openLife(): { isOpen(): boolean; assertOpen(): void; close(): void } {
  let open = true;
  return {
    isOpen: () => open,
    assertOpen: () => {
      if (!open) throw new MmmError('HOST_CLOSED', 'The host is closed.', {});
    },
    close: () => {
      open = false;
    },
  };
}
