import { ContentStore, KeyRing, SignatureMemo, TrustStore } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import type { HostOptions, Plugin } from './api.ts';
import { AuditLog } from './audit/audit-log.ts';
import { SchemaValidator } from './call/schema.ts';
import { Catalog } from './catalog.ts';
import { Configurations } from './configuration.ts';
import { Consents } from './consents.ts';
import { type DecisionServices, EnabledCheck, isEnabled } from './decisions.ts';
import { DependencyStarts } from './dependency-starts.ts';
import { Development } from './development.ts';
import { defaultSearchPath } from './discover/search-path.ts';
import type { PluginSpec } from './discover/spec.ts';
import { finishActivations } from './finish-activations.ts';
import { Handles } from './handles.ts';
import type { Session } from './handshake/session.ts';
import { recordId } from './identity.ts';
import type { KeyServices } from './key-decisions.ts';
import { Launcher, type LauncherParts } from './launcher.ts';
import { MetricsRecorder } from './metrics/recorder.ts';
import { OpenPlugins } from './open-plugins.ts';
import { type ResolvedOptions, resolveOptions } from './options.ts';
import { PluginHandle, type PluginServices } from './plugin.ts';
import { PluginResources } from './plugin-resources.ts';
import { suggest } from './source/suggest.ts';
import { CrashMemories } from './store/crash-memory.ts';
import { openStore, type Store } from './store/store.ts';
import { supervisionOf } from './supervision.ts';
import { TrustWatch } from './trust-watch.ts';

/** Everything one host is made of, wired once. Policy lives in the stages, state in the store and the supervisors. */
export interface HostParts {
  readonly options: ResolvedOptions;
  readonly trust: TrustStore;
  readonly keys: KeyRing;
  readonly audit: AuditLog;
  readonly store: Store;
  readonly catalog: Catalog;
  readonly content: ContentStore;
  readonly metrics: MetricsRecorder;
  readonly configurations: Configurations;
  readonly resources: PluginResources;
  readonly launcher: Launcher;
  readonly handles: Handles;
  readonly plugins: OpenPlugins;
  readonly dependencies: DependencyStarts;
  readonly consents: Consents;
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
  const store = openStore(home.stateFile);
  const searchPath = given.searchPath ?? defaultSearchPath({ home: home.directory, project });
  const catalog = new Catalog(searchPath, home.manifestsFile, () => clock.now());
  const keys = new KeyRing(home.keys);
  const audit = new AuditLog({
    ...{ directory: home.audit, chain: store.chain, clock },
    redact: (plugin, detail) => configurations.redacted(plugin, detail),
  });
  const content = new ContentStore(home.store);
  await content.clean();
  finishActivations(home, store);
  const now = (): Date => new Date(clock.now());
  const configurations = new Configurations({ home, store, trust, audit, now });
  const memo = new SignatureMemo(home.memoFile);
  const resources = new PluginResources({ clock, audit, settings: options.settings.limits });
  const currentRevocations = options.settings.trust?.expired_revocations === 'refuse';
  const watch = new TrustWatch({ trust, clock, audit });
  const onWithdrawn: LauncherParts['onWithdrawn'] = (spec, error) => handles.get(spec.id)?.withdraw(spec, error);
  const onRevoked: LauncherParts['onRevoked'] = (spec, reason) => void consents.end(spec, reason);
  const metrics = new MetricsRecorder(store.statistics, clock);
  const kept = { options, trust, store, audit, content, memo, configurations, resources, metrics };
  const launcher = new Launcher({ ...kept, watch, onWithdrawn, onRevoked });
  launcher.reap();
  const life = openLife();
  const handles = new Handles();
  const dependencies = new DependencyStarts({
    handles,
    plugins: async () => (await catalog.discovery()).plugins,
    isEnabled: (spec) => isEnabled(spec, { store }),
    open: (id) => plugins.open(id),
  });
  const base = {
    ...{
      options,
      trust,
      keys,
      audit,
      store,
      catalog,
      content,
      configurations,
      resources,
      launcher,
      handles,
      dependencies,
    },
    metrics,
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
      currentRevocations,
      boundPublisher: (spec: PluginSpec) => store.plugins.publisherOf(recordId(spec)),
    },
    ...life,
  };
  const consents = openConsents(base);
  const services = pluginServices(base);
  const handle: HostParts['handle'] = (spec, launch) => new PluginHandle(spec, services(spec, launch));
  const plugins = new OpenPlugins({ catalog, handles, launcher, handle, assertOpen: life.assertOpen });
  return {
    ...{ ...base, consents, handle, plugins },
    development: options.development && openDevelopment(options.development, base, services),
  };
}

/** Throws CONFIG_INVALID when the host was opened without a development folder. */
export async function developed(development: Development | undefined): Promise<Plugin> {
  if (development !== undefined) return await development.next();
  const issues = [{ path: 'development', message: 'is not set' }];
  const message = 'This host was opened without a development folder. Pass `development` to createHost.';
  throw new MmmError('CONFIG_INVALID', message, { file: 'options', issues });
}

type BaseParts = Omit<HostParts, 'consents' | 'handle' | 'plugins' | 'development'>;
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

function openConsents({ options, decisions, content, catalog, handles, launcher }: BaseParts): Consents {
  return new Consents({
    ...{ decisions, content, catalog, handles, clock: options.clock },
    verifyServices: () => launcher.verifyServices(),
    prepare: (spec, signal) => launcher.prepare(spec, signal),
    cutNetwork: (spec) => launcher.cutNetwork(spec),
    flushUses: () => launcher.uses.flush(),
  });
}

function pluginServices(parts: BaseParts): ServicesOf {
  const { options, metrics, configurations, resources, launcher, enabled, dependencies, crashes, ...life } = parts;
  const schemas = new SchemaValidator({ suggest });
  const assertUsable = (spec: PluginSpec): void => {
    life.assertOpen();
    enabled.assert(spec);
  };
  return (spec, launch) => ({
    clock: options.clock,
    random: options.random,
    metrics,
    schemas,
    caller: options.caller,
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
    isNeeded: () => dependencies.isNeeded(spec.id),
    assertUsable: () => assertUsable(spec),
    isOpen: life.isOpen,
    readFile: (path) => launcher.readFile(spec, path),
    note: (level, message) => launcher.note(spec, level, message),
  });
}

function needsOf(spec: PluginSpec, dependencies: DependencyStarts): PluginServices['needs'] {
  if (spec.manifest.dependencies.length === 0) return undefined;
  return { areRunning: () => dependencies.areRunning(spec), start: (wait) => dependencies.start(spec, wait) };
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
