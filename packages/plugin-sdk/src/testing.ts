import {
  type CapabilityKind,
  type CapabilityRef,
  type Event,
  type Framing,
  type HostMethods,
  hostMethods,
  hostVersion,
  type InitializeResult,
  type LogLevel,
  type Params,
  type ParamsInput,
  type PermissionSet,
  type PluginMethods,
  type ProgressValue,
  pluginMethods,
  protocolFeatures,
  protocolVersion,
  type Result,
  type ResultInput,
  RpcError,
} from '@mmm/protocol';
import {
  type Connection,
  connect,
  memoryTransportPair,
  onNotification,
  onRequest,
  type RequestEntry,
  systemClock,
} from '@mmm/rpc';
import type { EventAnswer, Message, Plugin } from './define-plugin.ts';
import { type Served, serve } from './serve.ts';
import { fetchHandler, type TestFetch } from './testing-fetch.ts';
import { stateHandlers } from './testing-state.ts';
import type { HostRequestName, PluginRequestName } from './wire.ts';

export type { TestAnswer, TestFetch, TestRequest } from './testing-fetch.ts';

/** What the test answers to requests of the plugin, by the protocol's names. */
export type HostAnswers = {
  readonly [K in HostRequestName]?: (
    params: Params<HostMethods[K]>,
  ) => ResultInput<HostMethods[K]> | Promise<ResultInput<HostMethods[K]>>;
};

export interface TestPluginOptions {
  readonly config?: Record<string, unknown>;
  readonly permissions?: PermissionSet;
  readonly locale?: string;
  /** Default `/plugin` and `/data`, which do not exist; name a temporary folder for a plugin that writes. */
  readonly directory?: string;
  readonly dataDirectory?: string;
  /** Everything else the plugin may ask is answered MethodNotFound; state is kept in memory, events are collected. */
  readonly host?: HostAnswers;
  /** Answers `context.fetch`. Without it there is no network. */
  readonly fetch?: TestFetch;
  readonly framing?: Framing;
}

export interface TestCallOptions {
  readonly signal?: AbortSignal;
  /** Parts of the call's context the plugin looks at: velocity, current_mode, trigger … */
  readonly context?: Partial<Params<PluginMethods['execute']>['context']>;
  readonly onReport?: (report: { readonly message?: string; readonly fraction?: number }) => void;
  readonly onChunk?: (data: unknown) => void;
}

export interface TestLogLine {
  readonly level: LogLevel;
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The host's side of a plugin in the test's own process, over the real protocol with every schema checked. */
export interface TestHost {
  /** What the plugin answered to `initialize`. */
  readonly introduction: InitializeResult;
  /** What it logged and emitted so far. */
  readonly logs: readonly TestLogLine[];
  readonly events: readonly { readonly type: string; readonly data: unknown }[];
  /** Runs a capability, by name or by kind and name, and resolves with its output. Rejects with an RpcError. */
  execute(capability: string | CapabilityRef, input?: unknown, options?: TestCallOptions): Promise<unknown>;
  complete(capability: string | CapabilityRef, partial: string): Promise<Result<PluginMethods['complete']>['items']>;
  configure(config: Record<string, unknown>): Promise<void>;
  /** Tells the plugin what is granted from now on. Nothing here enforces it: that is the host's work. */
  changePermissions(permissions: PermissionSet): void;
  sendMessage(message: Pick<Message, 'kind' | 'payload'> & Partial<Message>): Promise<unknown>;
  sendEvent(event: Pick<Event, 'type'> & Partial<Event>): Promise<EventAnswer>;
  /** Any request of the protocol. */
  request<K extends PluginRequestName>(
    method: K,
    params: ParamsInput<PluginMethods[K]>,
  ): Promise<Result<PluginMethods[K]>>;
  /** Ends the session as a host does, and resolves when `stop` has run. */
  shutdown(reason?: string): Promise<void>;
}

/** Starts the plugin over a transport in memory and initializes it. Rejects with the error that refuses a launch. */
export async function testPlugin(plugin: Plugin, options: TestPluginOptions = {}): Promise<TestHost> {
  const [hostSide, pluginSide] = memoryTransportPair();
  const logs: TestLogLine[] = [];
  const events: { type: string; data: unknown }[] = [];
  const served = serve(plugin, pluginSide);
  const connection = connect(hostSide, {
    framing: options.framing ?? 'ndjson',
    requests: hostRequests(options, events),
    notifications: {
      log: onNotification(hostMethods.log, ({ level, message, fields }) => logs.push({ level, message, fields })),
    },
  });
  try {
    const introduction = await connection.call(pluginMethods.initialize, initializeParams(plugin, options));
    connection.notify(pluginMethods.initialized, {});
    return testHost(plugin, connection, served, { introduction, logs, events });
  } catch (error) {
    connection.close();
    throw error;
  }
}

function initializeParams(plugin: Plugin, options: TestPluginOptions): ParamsInput<PluginMethods['initialize']> {
  return {
    protocol: { version: protocolVersion, features: [...protocolFeatures] },
    host: { name: 'test', version: hostVersion },
    plugin: {
      id: plugin.name ?? 'plugin',
      version: plugin.version ?? '0.0.0',
      directory: options.directory ?? '/plugin',
      data_directory: options.dataDirectory ?? '/data',
    },
    config: options.config ?? {},
    permissions: options.permissions ?? {},
    locale: options.locale ?? 'en',
  };
}

function hostRequests(
  { host: answers = {}, fetch }: TestPluginOptions,
  events: { type: string; data: unknown }[],
): Record<string, RequestEntry> {
  const emitted = onRequest(hostMethods.emit_event, ({ type, data }) => {
    events.push({ type, data });
    return { id: `event-${events.length}` };
  });
  const given = Object.entries(answers).map(([name, answer]) => [
    name,
    onRequest(hostMethods[name as HostRequestName], answer as (params: unknown) => never),
  ]);
  const fetched = fetch === undefined ? {} : { fetch: fetchHandler(fetch) };
  return { ...stateHandlers(), emit_event: emitted, ...fetched, ...Object.fromEntries(given) };
}

function testHost(
  plugin: Plugin,
  connection: Connection,
  served: Served,
  seen: Pick<TestHost, 'introduction' | 'logs' | 'events'>,
): TestHost {
  const timestamp = (): string => new Date(systemClock.now()).toISOString();
  const refOf = (capability: string | CapabilityRef): CapabilityRef => {
    if (typeof capability !== 'string') return capability;
    const kind: CapabilityKind = plugin.capabilities.find(({ name }) => name === capability)?.kind ?? 'tool';
    return { kind, name: capability };
  };
  return {
    ...seen,
    async execute(capability, input = null, { signal, context, ...listeners } = {}) {
      const call = {
        caller: { kind: 'host' as const, id: 'test' },
        timestamp: timestamp(),
        deadline_ms: 30_000,
        ...context,
      };
      const { output } = await connection.call(
        pluginMethods.execute,
        { capability: refOf(capability), input, context: call },
        { ...(signal === undefined ? {} : { signal }), ...progressOptions(listeners) },
      );
      return output;
    },
    async complete(capability, partial) {
      return (await connection.call(pluginMethods.complete, { capability: refOf(capability), partial })).items;
    },
    async configure(config) {
      await connection.call(pluginMethods.configure, { config });
    },
    changePermissions: (permissions) => connection.notify(pluginMethods.permissions_changed, { permissions }),
    async sendMessage(message) {
      const complete = { id: 'message-1', source: 'test', target: plugin.name ?? null, metadata: {}, ...message };
      return (await connection.call(pluginMethods.handle_message, complete)).payload;
    },
    async sendEvent(event) {
      const complete = { id: 'event-1', source: 'test', data: null, timestamp: timestamp(), ...event };
      return (await connection.call(pluginMethods.handle_event, { event: complete })) as EventAnswer;
    },
    request: (method, params) => connection.call(pluginMethods[method], params),
    async shutdown(reason = 'the test is over') {
      await connection.call(pluginMethods.shutdown, { reason, grace_ms: 3000 }).catch((error: unknown) => {
        if (!(error instanceof RpcError)) throw error;
      });
      connection.close();
      await served.closed;
    },
  };
}

function progressOptions({ onReport, onChunk }: Pick<TestCallOptions, 'onReport' | 'onChunk'>) {
  if (onReport === undefined && onChunk === undefined) return {};
  const onProgress = (value: ProgressValue): void => {
    if (value.kind === 'chunk') {
      onChunk?.(value.data);
      return;
    }
    const { message, fraction } = value;
    onReport?.({ ...(message === undefined ? {} : { message }), ...(fraction === undefined ? {} : { fraction }) });
  };
  return { onProgress };
}
