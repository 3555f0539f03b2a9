import {
  type CapabilityRef,
  type Event,
  type Params,
  type PluginMethods,
  protocolVersion,
  RpcError,
} from '@mmm/protocol';
import {
  type Connection,
  type ConnectionOptions,
  type HandlerContext,
  onNotification,
  onRequest,
  type RequestEntry,
} from '@mmm/rpc';
import { RequestScope, type SessionFacts, SessionScope } from './context.ts';
import type { AnyCapability, EventAnswer, Plugin } from './define-plugin.ts';
import { PluginError, toRpcError } from './plugin-error.ts';
import { parseWith } from './schema.ts';
import { ServedTriggers } from './served-triggers.ts';
import { type PluginRequestName, pluginNotification, pluginRequest } from './wire.ts';

type RequestParams<K extends PluginRequestName> = Params<PluginMethods[K]>;
/** What may come at any time: the way in, the way out, and the question whether anybody is there. */
const acceptedBeforeInitialize: ReadonlySet<string> = new Set(['initialize', 'ping', 'shutdown', '$/cancelRequest']);

/** The plugin's side of one session: answers each method by what the author defined. */
export class ServedSession {
  readonly #plugin: Plugin;
  readonly #connection: () => Connection;
  readonly #onUnexpected: (thrown: unknown) => void;
  #phase: 'new' | 'initializing' | 'ready' = 'new';
  #facts: SessionFacts<unknown> | undefined;
  /** What `initialize` is answered with, from the moment it came. */
  #opening: Promise<never> | undefined;
  #stopped: Promise<void> | undefined;
  readonly #triggers: ServedTriggers | undefined;

  constructor(plugin: Plugin, connection: () => Connection, onUnexpected: (thrown: unknown) => void = () => undefined) {
    this.#plugin = plugin;
    this.#connection = connection;
    this.#onUnexpected = onUnexpected;
    const { triggers } = plugin.definition;
    const scope = (): SessionScope<unknown> => new SessionScope(this.#session(), connection());
    this.#triggers = triggers === undefined ? undefined : new ServedTriggers(triggers, scope);
  }

  handlers(): Pick<ConnectionOptions, 'requests' | 'notifications' | 'accept'> {
    const { handleEvent, handleMessage, hooks, onToolError } = this.#plugin.definition;
    const requests: RequestEntry[] = [
      onRequest(pluginRequest('initialize'), (params) => this.#initialize(params)),
      this.#answer('execute', (params, handling) => this.#execute(params, handling)),
      this.#answer('complete', (params, handling) => this.#complete(params, handling)),
      this.#answer('configure', ({ config }) => this.#configure(config)),
      this.#answer('ping', () => ({})),
      this.#answer('shutdown', ({ reason }) => this.stop(reason).then(() => ({}))),
    ];
    // A method nobody defined is left to the connection, which answers MethodNotFound: the host knows what that means.
    if (handleEvent !== undefined || hooks !== undefined) {
      requests.push(this.#answer('handle_event', ({ event }, handling) => this.#handleEvent(event, handling)));
    }
    if (handleMessage !== undefined) {
      requests.push(this.#answer('handle_message', (params, handling) => this.#handleMessage(params, handling)));
    }
    const triggers = this.#triggers;
    if (triggers !== undefined) {
      requests.push(
        this.#answer('start_trigger', ({ trigger, instance, config }) =>
          triggers.start(trigger, instance, config).then(() => ({})),
        ),
        this.#answer('stop_trigger', ({ instance }) => triggers.stop(instance).then(() => ({}))),
        this.#answer('poll_events', (params, { signal }) => triggers.poll(params, signal)),
      );
    }
    if (onToolError !== undefined) {
      requests.push(this.#answer('on_tool_error', (params, handling) => this.#onToolError(params, handling)));
    }
    return {
      accept: (method) => this.#accept(method),
      requests: Object.fromEntries(requests.map((entry) => [entry.method.name, entry])),
      notifications: {
        initialized: onNotification(pluginNotification('initialized'), () => undefined),
        permissions_changed: onNotification(pluginNotification('permissions_changed'), ({ permissions }) => {
          this.#session().permissions = permissions;
        }),
      },
    };
  }

  /** Runs the author's `stop`, once, however often and from wherever it is asked for. */
  stop(reason: string): Promise<void> {
    this.#stopped ??= (async () => {
      if (this.#facts === undefined) return;
      await this.#triggers?.stopAll(reason);
      await this.#plugin.definition.stop?.(reason, new SessionScope(this.#facts, this.#connection()));
    })();
    return this.#stopped;
  }

  #answer<K extends PluginRequestName>(
    name: K,
    handle: (params: RequestParams<K>, handling: HandlerContext) => unknown,
  ): RequestEntry {
    return onRequest(pluginRequest(name), async (params, handling) => {
      try {
        // A host waits for the answer to initialize; a person with `cat messages | plugin` does not.
        if (this.#phase === 'initializing') await this.#opening?.catch(() => undefined);
        const accepted = this.#accept(name);
        if (accepted !== true) throw accepted;
        return (await handle(params as RequestParams<K>, handling)) as never;
      } catch (thrown) {
        if (!handling.signal.aborted) this.#report(thrown);
        throw toRpcError(thrown, handling.signal.aborted);
      }
    });
  }

  #report(thrown: unknown): void {
    if (!(thrown instanceof PluginError) && !(thrown instanceof RpcError)) this.#onUnexpected(thrown);
  }

  #accept(method: string): true | RpcError {
    if (this.#phase !== 'new' || acceptedBeforeInitialize.has(method)) return true;
    return RpcError.of('NotInitialized', `"${method}" came before initialize was answered.`);
  }

  #session(): SessionFacts<unknown> {
    if (this.#facts === undefined) throw RpcError.of('NotInitialized', 'initialize was not answered yet.');
    return this.#facts;
  }

  /** Not `async` itself: whatever waits for the opening must go on after the connection has sent its answer. */
  #initialize(params: RequestParams<'initialize'>): Promise<never> {
    if (this.#phase !== 'new') throw RpcError.of('InvalidRequest', 'initialize was sent twice.');
    this.#phase = 'initializing';
    this.#opening = this.#open(params).then(
      (facts) => {
        this.#facts = facts;
        this.#phase = 'ready';
        return this.#introduction() as never;
      },
      (thrown: unknown) => {
        this.#phase = 'new';
        this.#report(thrown);
        throw toRpcError(thrown, false);
      },
    );
    return this.#opening;
  }

  async #open(params: RequestParams<'initialize'>): Promise<SessionFacts<unknown>> {
    const { definition } = this.#plugin;
    const offered = params.protocol?.version;
    if (offered !== protocolVersion) {
      const both = `The host speaks version ${String(offered)} of the protocol, this plugin version ${protocolVersion}`;
      throw RpcError.of('InvalidRequest', `${both}. Update the older of the two.`);
    }
    // Tried by hand, initialize may come with nothing but the version.
    const { id = '', version = '', directory = '', data_directory: dataDirectory = '' } = params.plugin ?? {};
    const facts: SessionFacts<unknown> = {
      plugin: { id, version, directory, dataDirectory },
      config: await parseWith(definition.config, params.config ?? {}, 'The configuration', 'invalid_config'),
      permissions: params.permissions ?? {},
      locale: params.locale ?? 'en',
    };
    await definition.start?.(new SessionScope(facts, this.#connection()));
    return facts;
  }

  #introduction(): unknown {
    const { capabilities, definition, name, version } = this.#plugin;
    const features = ['ping', 'chunks', ...(definition.onToolError === undefined ? [] : ['tool_recovery'])];
    return {
      protocol: { version: protocolVersion, features },
      ...(name === undefined || version === undefined ? {} : { plugin: { name, version } }),
      capabilities,
    };
  }

  #capability(ref: CapabilityRef): AnyCapability {
    const found = this.#plugin.find(ref.kind, ref.name);
    if (found !== undefined) return found;
    const known = this.#plugin.capabilities.map(({ kind, name }) => `${kind} ${name}`).join(', ');
    throw RpcError.of('UnknownCapability', `No ${ref.kind} "${ref.name}" here; there is ${known || 'none'}.`);
  }

  async #execute(params: RequestParams<'execute'>, handling: HandlerContext): Promise<unknown> {
    const capability = this.#capability(params.capability);
    const input = await parseWith(capability.input, params.input, 'The input', 'invalid_params');
    const context = this.#scope(handling, params.context);
    const output = await capability.execute(input, context);
    await context.chunksSent();
    // JSON has no undefined: the key would be missing on the wire.
    return { output: output ?? null };
  }

  async #complete(params: RequestParams<'complete'>, handling: HandlerContext): Promise<unknown> {
    const proposed =
      (await this.#capability(params.capability).complete?.(params.partial, this.#scope(handling))) ?? [];
    return { items: proposed.map((item) => (typeof item === 'string' ? { value: item } : item)) };
  }

  async #configure(raw: Record<string, unknown>): Promise<unknown> {
    const { definition } = this.#plugin;
    const facts = this.#session();
    const config = await parseWith(definition.config, raw, 'The configuration', 'invalid_config');
    await definition.configure?.(config, new SessionScope(facts, this.#connection()));
    facts.config = config;
    return {};
  }

  async #handleEvent(event: Event, handling: HandlerContext): Promise<EventAnswer> {
    const { handleEvent, hooks = {} } = this.#plugin.definition;
    const context = this.#scope(handling);
    const actions: NonNullable<EventAnswer['actions']>[number][] = [];
    for (const handle of [...Object.values(hooks), handleEvent]) {
      const answer = (await handle?.(event, context)) ?? {};
      if (answer.veto !== undefined) return { veto: answer.veto };
      actions.push(...(answer.actions ?? []));
    }
    return actions.length === 0 ? {} : { actions };
  }

  async #handleMessage(message: RequestParams<'handle_message'>, handling: HandlerContext): Promise<unknown> {
    const payload = await this.#plugin.definition.handleMessage?.(message, this.#scope(handling));
    return { payload: payload ?? null };
  }

  async #onToolError(failure: RequestParams<'on_tool_error'>, handling: HandlerContext): Promise<unknown> {
    return this.#plugin.definition.onToolError?.(failure, this.#scope(handling)) ?? { action: 'propagate' };
  }

  #scope(handling: HandlerContext, call?: RequestParams<'execute'>['context']): RequestScope<unknown> {
    return new RequestScope(this.#session(), this.#connection(), handling, call);
  }
}
