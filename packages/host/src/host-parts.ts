import { ContentStore, KeyRing, SignatureMemo, TrustStore } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import type { HostOptions, Plugin } from './api.ts';
import { AuditLog } from './audit/audit-log.ts';
import { SchemaValidator } from './call/schema.ts';
import { Catalog } from './catalog.ts';
import { Configurations } from './configuration.ts';
import { type DecisionServices, EnabledCheck } from './decisions.ts';
import { Development } from './development.ts';
import { defaultSearchPath } from './discover/search-path.ts';
import type { PluginSpec } from './discover/spec.ts';
import { suggest } from './discover/suggest.ts';
import { Handles } from './handles.ts';
import type { KeyServices } from './key-decisions.ts';
import { Launcher } from './launcher.ts';
import { MetricsRecorder } from './metrics/recorder.ts';
import { type ResolvedOptions, resolveOptions } from './options.ts';
import { PluginHandle, type PluginServices } from './plugin.ts';
import { openStore, type Store } from './store/store.ts';

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
  readonly launcher: Launcher;
  readonly handles: Handles;
  readonly enabled: EnabledCheck;
  readonly development: Development | undefined;
  readonly decisions: DecisionServices & KeyServices;
  handle(spec: PluginSpec, launch: PluginServices['launch']): PluginHandle;
  /** False after `close()`. */
  isOpen(): boolean;
  /** Throws HOST_CLOSED after `close()`. */
  assertOpen(): void;
  /** From here on nothing new begins; what runs is ended by the caller. */
  close(): void;
}

/** Tries under development say nothing about the installed plugin of that name. */
const uncounted = { loaded: () => undefined, called: () => undefined, exited: () => undefined };

/** Throws HOME_INVALID, STATE_UNREADABLE, KEY_INVALID or CONFIG_INVALID. */
export async function openParts(given: HostOptions): Promise<HostParts> {
  const options = resolveOptions(given);
  const { home, project, clock, policy } = options;
  const trust = await TrustStore.open(home.trustFile);
  const store = openStore(home.stateFile);
  const catalog = new Catalog(given.searchPath ?? defaultSearchPath({ home: home.directory, project }));
  const keys = new KeyRing(home.keys);
  const audit = new AuditLog({ directory: home.audit, chain: store.chain, clock });
  const content = new ContentStore(home.store);
  const now = (): Date => new Date(clock.now());
  const configurations = new Configurations({ home, store, trust, audit, now });
  const memo = new SignatureMemo(home.memoFile);
  const launcher = new Launcher({ options, trust, store, audit, content, memo, configurations });
  const life = openLife();
  const base = {
    ...{ options, trust, keys, audit, store, catalog, content, configurations, launcher },
    metrics: new MetricsRecorder(store.statistics, clock),
    enabled: new EnabledCheck(store, clock),
    handles: new Handles(),
    decisions: { keys, store, trust, policy, audit, home, project, now },
    ...life,
  };
  const services = pluginServices(base);
  return {
    ...base,
    handle: (spec, launch) => new PluginHandle(spec, services(spec, launch)),
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

type BaseParts = Omit<HostParts, 'handle' | 'development'>;
type ServicesOf = (spec: PluginSpec, launch: PluginServices['launch']) => PluginServices;

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
    launch: (spec, development, signal) => launcher.launch(spec, signal, development),
    handle: (spec, launch) => new PluginHandle(spec, { ...services(spec, launch), metrics: uncounted }),
  });
}

function pluginServices({ options, metrics, configurations, launcher, enabled, ...life }: BaseParts): ServicesOf {
  const schemas = new SchemaValidator({ suggest });
  return (spec, launch) => ({
    clock: options.clock,
    random: options.random,
    metrics,
    schemas,
    caller: options.caller,
    redactor: configurations.redactor(spec),
    launch,
    assertUsable: () => {
      life.assertOpen();
      enabled.assert(spec);
    },
    isOpen: life.isOpen,
    readFile: (path) => launcher.readFile(spec, path),
    note: (level, message) => launcher.note(spec, level, message),
  });
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
