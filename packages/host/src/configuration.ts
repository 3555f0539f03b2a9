import { privateFileWriter, readBundleFile, type TrustStore } from '@mmm/bundle';
import { MmmError, pluginMethods, RpcError } from '@mmm/protocol';
import { CallFailed } from '@mmm/rpc';
import type { ConfigChange, ConfigReport, PluginConfig } from './api-config.ts';
import type { AuditLog } from './audit/audit-log.ts';
import { callError } from './call/call-error.ts';
import { applyChange, keysOf, notReady, refused } from './config/change.ts';
import { type ConfigOwner, ConfigStore, type StoredConfig } from './config/config-store.ts';
import { type Definition, Definitions } from './config/definition.ts';
import type { Table } from './config/document.ts';
import { effectiveConfig, listFields, secretsOf, sorted, withoutSecrets } from './config/effective.ts';
import { Redactor } from './config/redactor.ts';
import { publisherFor } from './decisions.ts';
import type { PluginSpec } from './discover/spec.ts';
import { safeText } from './display/safe-text.ts';
import type { Session } from './handshake/session.ts';
import { diskName, type Home } from './home.ts';
import { privateName, publisherOf, recordId } from './identity.ts';
import { hostLimits } from './limits.ts';
import type { PermittedPlugin } from './permit/permitted.ts';
import type { PluginHandle } from './plugin.ts';
import { isMissing } from './schema/field-issues.ts';
import { suggest } from './source/suggest.ts';
import type { Store } from './store/store.ts';

export interface ConfigurationServices {
  readonly home: Home;
  readonly store: Store;
  readonly trust: TrustStore;
  readonly audit: Pick<AuditLog, 'append'>;
  now(): Date;
}

/** One plugin's configuration at one moment. */
interface Current {
  readonly owner: ConfigOwner;
  readonly definition: Definition;
  readonly stored: StoredConfig;
  readonly config: Table;
  readonly secrets: Table;
}

/** What each plugin is configured with: for its start, for people, and while it runs. */
export class Configurations {
  readonly #services: ConfigurationServices;
  readonly #store: ConfigStore;
  readonly #definitions = new Definitions(suggest);
  readonly #redactors = new Map<string, Redactor>();
  /** The change of each plugin under way: the next one waits for it. */
  readonly #changes = new Map<string, Promise<unknown>>();

  constructor(services: ConfigurationServices) {
    this.#services = services;
    this.#store = new ConfigStore(services.store.configurations, services.home.secrets);
  }

  /** Takes out of texts what is secret of this plugin. Undefined for one that can have no secret. */
  redactor(spec: PluginSpec): Redactor | undefined {
    if (spec.manifest.config?.schema === undefined) return undefined;
    const id = recordId(spec);
    let redactor = this.#redactors.get(id);
    if (redactor === undefined) {
      redactor = new Redactor();
      this.#redactors.set(id, redactor);
    }
    return redactor;
  }

  /** Without the secrets of the plugin of this name, from wherever it comes. For what is recorded of it. */
  redacted<T>(plugin: string, value: T): T {
    let safe = value;
    for (const [id, redactor] of this.#redactors) {
      if (id === plugin || id.startsWith(`${plugin}@`)) safe = redactor.value(safe);
    }
    return safe;
  }

  /** What `initialize` carries: by the schema of the verified bundle. Throws CONFIG_INVALID when it is not whole. */
  async forLaunch(plugin: PermittedPlugin): Promise<Table> {
    const { spec, bundleDirectory, trust } = plugin;
    const current = await this.#read(spec, bundleDirectory, publisherOf(trust));
    const issues = current.definition.check(current.config);
    if (issues.length > 0) throw this.#safe(spec, notReady(subjectOf(spec), current.definition, issues));
    return current.config;
  }

  /** The same, with what is wrong with the schema or the stored values as an issue instead of an error. */
  async showAnyway(spec: PluginSpec): Promise<PluginConfig> {
    try {
      return await this.show(spec);
    } catch (error) {
      if (!(error instanceof MmmError)) throw error;
      const issues = [{ path: 'the whole', message: error.message }];
      return { configurable: false, config: {}, values: {}, fields: [], issues };
    }
  }

  async show(spec: PluginSpec): Promise<PluginConfig> {
    return this.#shown(spec, await this.#read(spec));
  }

  /** Changes of one plugin wait for each other. Throws CONFIG_INVALID, or why the plugin could not be told. */
  async change(spec: PluginSpec, change: ConfigChange, handle: PluginHandle | undefined): Promise<ConfigReport> {
    const id = recordId(spec);
    const before = this.#changes.get(id);
    const done = (async () => {
      await before?.catch(() => undefined);
      try {
        return await this.#change(spec, change, handle);
      } catch (error) {
        throw this.#safe(spec, error);
      }
    })();
    this.#changes.set(id, done);
    try {
      return await done;
    } finally {
      if (this.#changes.get(id) === done) this.#changes.delete(id);
    }
  }

  /** Forgets the configuration of an installed plugin and its secrets. */
  remove(id: string): void {
    this.#store.remove({ id, fileName: diskName(id) });
  }

  async #change(spec: PluginSpec, change: ConfigChange, handle: PluginHandle | undefined): Promise<ConfigReport> {
    const writeFile = await privateFileWriter();
    const { owner, definition, stored } = await this.#read(spec);
    const subject = subjectOf(spec);
    const apply = (from: StoredConfig): StoredConfig => {
      const next = applyChange(subject, definition, from, change, suggest);
      this.redactor(spec)?.add(next.secrets);
      const wrong = definition.check(effectiveConfig(definition, next)).filter((issue) => !isMissing(issue));
      if (wrong.length > 0) throw refused(subject, wrong);
      return next;
    };
    const wanted = apply(stored);
    const config = effectiveConfig(definition, wanted);
    this.redactor(spec)?.add(secretsOf(definition, config, wanted));
    const commit = (make: (from: StoredConfig) => StoredConfig): void => {
      this.#store.update(owner, this.#services.now().toISOString(), writeFile, make);
    };
    const session = await liveSession(handle);
    if (handle === undefined || session === undefined) {
      this.#record(spec, change);
      commit(apply);
      await handle?.dropSpares('its configuration changed');
      return { ...(await this.show(spec)), applied: 'stored' };
    }
    const missing = definition.check(config);
    if (missing.length > 0) throw refused(subject, missing);
    const takenOver = await configure(spec, session, config, handle);
    this.#record(spec, change);
    commit(apply);
    if (takenOver) await handle.dropSpares('its configuration changed');
    else await this.#restart(spec, handle, () => commit(() => stored));
    return { ...(await this.show(spec)), applied: takenOver ? 'configured' : 'restarted' };
  }

  /** A plugin that cannot be told gets it at a new start. One that does not start with it gets the old one back. */
  async #restart(spec: PluginSpec, handle: PluginHandle, restore: () => void): Promise<void> {
    await handle.stop('its configuration changed');
    try {
      await handle.start();
    } catch (error) {
      restore();
      handle.reset();
      await handle.start().catch(() => undefined);
      const reason = error instanceof Error ? error.message : String(error);
      throw refusedByPlugin(spec, `it did not start with it: ${safeText(reason, 1000)}`, error);
    }
  }

  async #read(spec: PluginSpec, directory = spec.directory, publisher = this.#publisher(spec)): Promise<Current> {
    const { schema, defaults = {} } = spec.manifest.config ?? {};
    const definition = await this.#definitions.read({
      plugin: spec.id,
      defaults,
      // A plugin registered by the program has no files.
      schema: directory === '' ? undefined : schema,
      readFile: async (path) => (await readBundleFile(directory, path, hostLimits.schemaBytes)).toString('utf8'),
    });
    const owner = { id: recordId(spec), fileName: privateName(spec), publisher };
    const { root } = definition;
    const stored = root === undefined ? { values: {}, secrets: {} } : sorted(root, this.#store.read(owner));
    const config = effectiveConfig(definition, stored);
    const secrets = secretsOf(definition, config, stored);
    this.redactor(spec)?.add(secrets);
    return { owner, definition, stored, config, secrets };
  }

  #shown(spec: PluginSpec, { definition, stored, config, secrets }: Current): PluginConfig {
    const { root } = definition;
    const shown = {
      configurable: root !== undefined,
      config: withoutSecrets(root, config, secrets),
      values: withoutSecrets(root, stored.values, stored.secrets),
      fields: listFields(definition, stored),
      issues: definition.check(config),
    };
    return this.redactor(spec)?.value(shown) ?? shown;
  }

  #publisher(spec: PluginSpec): string {
    return publisherFor(spec, this.#services);
  }

  /** The keys, never a value. */
  #record(spec: PluginSpec, { set = {}, unset = [], replace }: ConfigChange): void {
    this.#services.audit.append({
      action: 'configure',
      plugin: spec.id,
      detail: { set: Object.keys(set), unset, ...(replace === undefined ? {} : { replace: keysOf(replace) }) },
    });
  }

  #safe<E>(spec: PluginSpec, error: E): E {
    return this.redactor(spec)?.error(error) ?? error;
  }
}

function subjectOf({ id, manifest }: PluginSpec): { plugin: string; schema: string | undefined } {
  return { plugin: id, schema: manifest.config?.schema };
}

/** The session to tell, once a start that is under way with the old configuration has ended. */
async function liveSession(handle: PluginHandle | undefined): Promise<Session | undefined> {
  if (handle === undefined) return undefined;
  if (handle.state.kind === 'starting' || handle.state.kind === 'probing') await handle.start().catch(() => undefined);
  const { state, session } = handle;
  return state.kind === 'running' || state.kind === 'degraded' ? session : undefined;
}

/** True when the plugin took it over, false when it cannot be told. Throws what it said against it, or its end. */
async function configure(spec: PluginSpec, session: Session, config: Table, handle: PluginHandle): Promise<boolean> {
  const timeoutMs = hostLimits.configureTimeoutMs;
  try {
    await session.connection.call(pluginMethods.configure, { config: { ...config } }, { timeoutMs });
    return true;
  } catch (error) {
    if (error instanceof RpcError) {
      if (error.is('MethodNotFound')) return false;
      throw refusedByPlugin(spec, `it says: ${safeText(error.message, 1000)}`, error);
    }
    const ended = error instanceof CallFailed && error.reason === 'closed';
    // It may have taken it over and not said so: a new start makes sure that the old one is in force.
    if (!ended) await handle.stop('it did not say whether it took its new configuration over');
    throw await callError(error, {
      plugin: spec.id,
      capability: 'configure',
      method: pluginMethods.configure.name,
      timeoutMs,
      queued: 0,
      queuedMax: 0,
      exitReason: () => session.exited,
    });
  }
}

function refusedByPlugin(spec: PluginSpec, why: string, cause: unknown): MmmError<'CONFIG_INVALID'> {
  const reason = cause instanceof Error ? safeText(cause.message, 1000) : safeText(String(cause), 1000);
  return new MmmError(
    'CONFIG_INVALID',
    `${spec.id} refused the new configuration; the old one is in force. Of the new one ${why}`,
    { file: spec.manifest.config?.schema ?? '', plugin: spec.id, issues: [{ path: 'the whole', message: reason }] },
    { cause },
  );
}
