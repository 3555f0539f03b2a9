import type {
  HostMethods,
  LogLevel,
  ParamsInput,
  PermissionSet,
  ProgressValue,
  Result,
  CallContext as WireCallContext,
} from '@mmm/protocol';
import type { Connection, HandlerContext } from '@mmm/rpc';
import { type Fetch, fetchOver } from './fetch.ts';
import {
  type Model,
  modelOver,
  type Plugins,
  type Project,
  pluginsOver,
  projectOver,
  type User,
  userOver,
} from './host-services.ts';
import { type HostRequestName, hostRequest, logNotification } from './wire.ts';

export interface HostCallOptions {
  /** Ends the request early. Inside a call the call's own signal is used when this is left out. */
  readonly signal?: AbortSignal;
  /** Without it the host's own deadline decides. */
  readonly timeoutMs?: number;
  readonly onProgress?: (value: ProgressValue) => void;
}

/** Asks the host by the name the protocol gives the method. Rejects with an RpcError that says why it refused. */
export type CallHost = <K extends HostRequestName>(
  method: K,
  params: ParamsInput<HostMethods[K]>,
  options?: HostCallOptions,
) => Promise<Result<HostMethods[K]>>;

export type LogFunction = (message: string, fields?: Record<string, unknown>) => void;
/** Lines of the plugin's log. Never fails and never waits. */
export type Log = { readonly [L in LogLevel]: LogFunction };

/**
 * Values the host keeps for the plugin: JSON under keys of up to 512 characters. They survive restarts, what is
 * acknowledged is on the disk, and versions guard them against lost updates. A value may have 1 MiB, all of one scope
 * 16 MiB and 10,000 keys: more is QuotaExceeded. Each scope needs a `state` permission; the plugin's own is granted
 * without a question. Rejects with StorageFailed when the host's disk is full or fails.
 */
export interface State {
  get<T = unknown>(key: string): Promise<T | undefined>;
  /** With its version, which rises with each change and is never used twice for a key; 0 means absent. */
  read<T = unknown>(key: string): Promise<{ readonly value: T | undefined; readonly version: number }>;
  /** Returns the new version. With `ifVersion` rejects with VersionConflict unless that is the current one. */
  set(key: string, value: unknown, options?: { readonly ifVersion?: number }): Promise<number>;
  delete(key: string, options?: { readonly ifVersion?: number }): Promise<number>;
  list(prefix?: string): Promise<readonly { readonly key: string; readonly version: number }[]>;
  /** All operations or none, at most 64. Returns the new versions in the same order. */
  update(operations: ParamsInput<HostMethods['update_state']>['operations']): Promise<readonly number[]>;
}

/** What holds for a whole session of the plugin. */
export interface PluginContext<C = Record<string, unknown>> {
  readonly plugin: {
    readonly id: string;
    readonly version: string;
    /** The bundle, read-only. */
    readonly directory: string;
    /** The plugin's own folder, the only one it may write to without a grant. */
    readonly dataDirectory: string;
  };
  readonly config: C;
  /** The granted entries, kept up to date. */
  readonly permissions: PermissionSet;
  readonly locale: string;
  readonly log: Log;
  readonly host: CallHost;
  /** HTTP under the plugin's network grant, redirects included; no socket of its own is needed. */
  readonly fetch: Fetch;
  /** Capabilities of other plugins, and messages to them. */
  readonly plugins: Plugins;
  /** Questions to the person whose call it is: of use within a call. */
  readonly user: User;
  readonly model: Model;
  readonly project: Project;
  /** The plugin's own values. */
  readonly state: State;
  /** Values shared within the current project and everywhere; both need a grant. */
  readonly projectState: State;
  readonly globalState: State;
  /**
   * Journals an event and has it delivered. Returns its id, when it is on the disk. A type begins with the plugin's own
   * name and a dot, or with a word that is nobody's.
   */
  emit(type: string, data?: unknown): Promise<string>;
  /** Events of these types, `*` for any characters, come to `handleEvent` from now on, until this process ends. */
  subscribe(type: string): Promise<void>;
  unsubscribe(type: string): Promise<void>;
}

/** What holds while one request of the host is answered. */
export interface RequestContext<C = Record<string, unknown>> extends PluginContext<C> {
  /** Aborted when the caller gave up or the session ends: stop working, whatever you return is dropped. */
  readonly signal: AbortSignal;
  /** Shows how far the call is, from 0 to 1, and restarts the caller's idle timer. Nothing when nobody listens. */
  report(message?: string, fraction?: number): void;
  /** Sends one piece of a streamed answer. Await it: it waits while 64 pieces are unacknowledged. */
  chunk(data: unknown): Promise<void>;
}

/** What holds for one call of a capability. */
export interface CallContext<C = Record<string, unknown>> extends RequestContext<C> {
  /** Who called, what triggered it (velocity, mode), how much time is left. */
  readonly call: WireCallContext;
}

/** What a session knows; the context classes read it at each access, so `configure` needs to change it only here. */
export interface SessionFacts<C> {
  readonly plugin: PluginContext<C>['plugin'];
  config: C;
  permissions: PermissionSet;
  readonly locale: string;
}

/** The context of a session. Members are getters, so that authors may take them apart as they like. */
export class SessionScope<C> implements PluginContext<C> {
  readonly #facts: SessionFacts<C>;
  readonly #connection: Connection;
  readonly #request: HandlerContext | undefined;

  /** Requests to the host end with `request`, if the scope belongs to one. */
  constructor(facts: SessionFacts<C>, connection: Connection, request?: HandlerContext) {
    this.#facts = facts;
    this.#connection = connection;
    this.#request = request;
  }

  get plugin(): PluginContext<C>['plugin'] {
    return this.#facts.plugin;
  }
  get config(): C {
    return this.#facts.config;
  }
  get permissions(): PermissionSet {
    return this.#facts.permissions;
  }
  get locale(): string {
    return this.#facts.locale;
  }
  get log(): Log {
    return logOver(this.#connection);
  }
  get state(): State {
    return stateOver(this.host, 'plugin');
  }
  get projectState(): State {
    return stateOver(this.host, 'project');
  }
  get globalState(): State {
    return stateOver(this.host, 'global');
  }
  get host(): CallHost {
    return (method, params, options = {}) => {
      const signal = options.signal ?? this.#request?.signal;
      const chosen = signal === undefined ? options : { ...options, signal };
      // So that the host knows for whose call it is, also while several are open.
      const named = this.#request === undefined ? params : { call_id: this.#request.id, ...params };
      return this.#connection.call(hostRequest(method), named, chosen);
    };
  }
  get fetch(): Fetch {
    return fetchOver(this.host);
  }
  get plugins(): Plugins {
    return pluginsOver(this.host);
  }
  get user(): User {
    return userOver(this.host);
  }
  get model(): Model {
    return modelOver(this.host);
  }
  get project(): Project {
    return projectOver(this.host);
  }
  get emit(): (type: string, data?: unknown) => Promise<string> {
    return async (type, data = null) => (await this.host('emit_event', { type, data })).id;
  }
  get subscribe(): (type: string) => Promise<void> {
    return async (type) => void (await this.host('subscribe_to_event', { type }));
  }
  get unsubscribe(): (type: string) => Promise<void> {
    return async (type) => void (await this.host('unsubscribe_from_event', { type }));
  }
}

/** The context of one request, and of one call where the host sent who calls. */
export class RequestScope<C> extends SessionScope<C> implements CallContext<C> {
  readonly #handling: HandlerContext;
  readonly call: WireCallContext;
  #chunks = 0;
  #chunksSent: Promise<void> = Promise.resolve();

  constructor(facts: SessionFacts<C>, connection: Connection, handling: HandlerContext, call = byHand) {
    super(facts, connection, handling);
    this.#handling = handling;
    this.call = call;
  }

  get signal(): AbortSignal {
    return this.#handling.signal;
  }
  get report(): (message?: string, fraction?: number) => void {
    return (message, fraction) => {
      const parts = { ...(message === undefined ? {} : { message }), ...(fraction === undefined ? {} : { fraction }) };
      this.#handling.progress({ kind: 'report', ...parts });
    };
  }
  get chunk(): (data: unknown) => Promise<void> {
    return (data) => {
      // One after the other, so that chunks keep their order even when nobody awaits them.
      this.#chunksSent = this.#chunksSent.then(async () => {
        await this.#handling.room();
        this.#handling.progress({ kind: 'chunk', seq: this.#chunks++, data });
      });
      return this.#chunksSent;
    };
  }

  /** The reply must come after the last chunk. */
  chunksSent(): Promise<void> {
    return this.#chunksSent;
  }
}

/** The host always says who calls; a person with `echo` need not. */
const byHand: WireCallContext = {
  caller: { kind: 'cli', id: 'by-hand' },
  timestamp: '1970-01-01T00:00:00.000Z',
  deadline_ms: 0,
};

function logOver(connection: Connection): Log {
  const write =
    (level: LogLevel): LogFunction =>
    (message, fields = {}) => {
      connection.notify(logNotification, { level, message, fields });
    };
  return {
    trace: write('trace'),
    debug: write('debug'),
    info: write('info'),
    warn: write('warn'),
    error: write('error'),
  };
}

function stateOver(host: CallHost, scope: 'plugin' | 'project' | 'global'): State {
  const read = async <T>(key: string) => {
    const { value, version } = await host('get_state', { scope, key });
    return { value: version === 0 ? undefined : (value as T), version };
  };
  const condition = (options?: { readonly ifVersion?: number }) =>
    options?.ifVersion === undefined ? {} : { if_version: options.ifVersion };
  return {
    read,
    get: async <T>(key: string) => (await read<T>(key)).value,
    set: async (key, value, options) => (await host('set_state', { scope, key, value, ...condition(options) })).version,
    delete: async (key, options) => (await host('delete_state', { scope, key, ...condition(options) })).version,
    list: async (prefix = '') => (await host('list_state', { scope, key: prefix })).items,
    update: async (operations) => (await host('update_state', { scope, operations })).versions,
  };
}
