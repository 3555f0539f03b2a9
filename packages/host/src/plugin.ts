import {
  type CapabilityRef,
  type CapabilitySection,
  type ExitReason,
  type Method,
  MmmError,
  type ParamsInput,
  pluginMethods,
  type Result,
} from '@mmm/protocol';
import { CallFailed } from '@mmm/rpc';
import type { Tracer } from '@opentelemetry/api';
import type { ExecuteOptions, ExecuteResult, Plugin } from './api.ts';
import type { ReloadReport } from './api-reload.ts';
import { checkArguments } from './arguments.ts';
import type { CallContextFields } from './call/call-context.ts';
import { complete, type InvokeServices, invoke } from './call/invoke.ts';
import { CallQueue } from './call/queue.ts';
import { type RequestOptions, request } from './call/request.ts';
import type { CallOrigin, OpenCall } from './clients/open-calls.ts';
import type { PluginSpec } from './discover/spec.ts';
import { describeExit } from './display/exit-error.ts';
import { Generation } from './generation.ts';
import type { Session } from './handshake/session.ts';
import { hostLimits } from './limits.ts';
import type { PluginServices } from './plugin-services.ts';
import { type PluginState, publicState, publicStates } from './plugin-state.ts';
import { isLogged } from './supervise/recovery.ts';
import type { ReplaceOptions, ReplaceOutcome } from './supervise/replacement.ts';
import { Supervisor } from './supervise/supervisor.ts';
import type { SessionWait } from './supervise/waiters.ts';
import { type CallSpan, registeredTracer, startCallSpan } from './tracing/call-tracer.ts';

/** What `execute` gets when it gets none: known to be right. */
const noOptions: ExecuteOptions = {};

/** What is being tried, with why nobody vouches for it any more. */
interface Candidate {
  readonly spec: PluginSpec;
  withdrawn?: MmmError;
}

/** The one implementation of Plugin: binds a supervisor, a queue and the call stage together. */
export class PluginHandle implements Plugin {
  readonly id: string;
  readonly #supervisor: Supervisor;
  readonly #queue: CallQueue;
  readonly #plainContext: CallContextFields;
  /** Of which version starts are, and by which calls are checked. */
  #generation: Generation;
  /** How often another one took its place. */
  #replaced = 0;
  /** By what their sessions were launched from. */
  readonly #generations = new WeakMap<PluginSpec, Generation>();
  #invokeServices: InvokeServices;
  #lastExit: ExitReason | null = null;
  /** How the session before ended, when nobody had asked for its end; undefined once another one runs. */
  #endedBy: ExitReason['kind'] | undefined;
  /** Why the last session was ended, when it was because of what it is. */
  #withdrawn: MmmError | undefined;
  #candidate: Candidate | undefined;

  constructor(spec: PluginSpec, services: PluginServices) {
    this.id = spec.id;
    const generation = new Generation(spec, services);
    this.#generation = generation;
    this.#generations.set(spec, generation);
    this.#queue = new CallQueue({ plugin: spec.id, concurrency: services.limits.concurrency });
    this.#invokeServices = this.#invokesFor(generation);
    this.#plainContext = { caller: services.caller };
    this.#supervisor = new Supervisor({
      plugin: spec.id,
      ...generation.blueprint(() => this.#adopt(generation)),
      ...(services.crashes === undefined ? {} : { memory: services.crashes }),
      isNeeded: () => services.isNeeded(),
      note: (level, message) => services.note(level, message),
      clock: services.clock,
      random: services.random,
      onLaunched: (session) => {
        this.#withdrawn = undefined;
        services.metrics.loaded(spec.id, session.loadMs);
        if (this.#endedBy !== undefined) services.metrics.restarted(spec.id, this.#endedBy);
        this.#endedBy = undefined;
        services.note('info', `started with pid ${session.pid} in ${session.loadMs.toFixed(0)} ms`);
        services.observe({ kind: 'started', pid: session.pid, loadMs: session.loadMs });
      },
      onExit: (reason, inUse) => this.#exited(reason, inUse),
      onChange: (state) => {
        if (state.kind !== 'quarantined') return;
        const until = new Date(state.untilMs).toISOString();
        const cause = firstLine(state.cause.message);
        services.note('error', `quarantined until ${until}: ${cause}`);
        services.observe({ kind: 'quarantined', untilMs: state.untilMs, cause });
      },
    });
  }

  get spec(): PluginSpec {
    return this.#generation.spec;
  }

  get #services(): PluginServices {
    return this.#generation.services;
  }

  /** What it needs of the host, by its present version. For the host, not for embedders. */
  get services(): PluginServices {
    return this.#services;
  }

  #invokesFor(generation: Generation): InvokeServices {
    const { schemas, metrics, clock } = generation.services;
    return {
      session: (wait) => this.#session(wait),
      versionOf: (session) => this.#generations.get(session.plugin.spec),
      queue: this.#queue,
      schemas,
      bundle: generation.bundle,
      metrics: {
        called: (id, call) => {
          this.#supervisor.used();
          metrics.called(id, call);
        },
      },
      clock,
    };
  }

  #adopt(generation: Generation): void {
    this.#generation = generation;
    this.#generations.set(generation.spec, generation);
    this.#invokeServices = this.#invokesFor(generation);
    this.#queue.resize(generation.services.limits.concurrency);
  }

  get state(): PluginState {
    return publicState(this.#supervisor.state);
  }

  /** The running session, if there is one. For the host, not for embedders. */
  get session(): Session | undefined {
    const { state } = this.#supervisor;
    return 'session' in state ? state.session : undefined;
  }

  /** Calls that it works on, and calls that wait for a place. */
  get inFlight(): number {
    return this.#queue.active;
  }

  get queued(): number {
    return this.#queue.queued;
  }

  get pid(): number | null {
    return this.session?.pid ?? null;
  }

  get lastExit(): ExitReason | null {
    return this.#lastExit;
  }

  async start(wait: SessionWait = {}): Promise<void> {
    this.#services.assertUsable();
    await this.#session(wait);
  }

  /** A launch starts what the plugin needs; a plugin that runs already may have lost some of it since. */
  #session(wait: SessionWait): Promise<Session> {
    const { needs } = this.#services;
    const { kind } = this.#supervisor.state;
    const isLive = kind === 'running' || kind === 'degraded';
    if (!isLive) {
      const latest = this.#services.latest();
      return latest === undefined ? this.#supervisor.session(wait) : latest.then(() => this.#supervisor.session(wait));
    }
    if (needs === undefined || needs.areRunning()) return this.#supervisor.session(wait);
    return needs.start(wait).then(() => this.#supervisor.session(wait));
  }

  async stop(reason = 'stopped by the host'): Promise<void> {
    checkArguments('plugin.stop', { reason });
    await this.#services.stopDependents();
    await this.#supervisor.stop(reason);
  }

  /** The end of the handle: calls that still wait get HOST_CLOSED, and nothing starts again. */
  async close(reason: string): Promise<void> {
    await this.#supervisor.close(reason);
  }

  /** Nobody vouches any more for what runs here: it is about to be killed, and its calls end with this error. */
  withdraw(spec: PluginSpec, error: MmmError): void {
    if (spec === this.#candidate?.spec) this.#candidate.withdrawn = error;
    if (spec !== this.spec) return;
    this.#withdrawn = error;
    // Its end is the watch's business; what needs it is stopped as far as it can be.
    this.#services.stopDependents().catch(() => undefined);
    this.#supervisor.stop(error.message).catch(() => undefined);
  }

  reset(): void {
    this.#supervisor.reset();
  }

  async restart(): Promise<ReloadReport> {
    this.#services.assertUsable();
    return await this.#services.restart();
  }

  /** How many times another process, of this version or of another, took the place of the one before. */
  get generation(): number {
    return this.#replaced;
  }

  /**
   * Puts a process of this version in the place of the one in use. For the host: embedders have `restart`. One after
   * the other; rejects with why it could not, and everything is as before.
   */
  async reload(spec: PluginSpec, services: PluginServices, options: ReplaceOptions): Promise<ReplaceOutcome> {
    const generation = new Generation(spec, services);
    const candidate: Candidate = { spec };
    this.#candidate = candidate;
    try {
      const outcome = await this.#supervisor.replace(
        generation.blueprint(() => this.#adopt(generation)),
        options,
      );
      if (outcome === 'switched') this.#replaced += 1;
      return outcome;
    } catch (error) {
      throw candidate.withdrawn ?? error;
    } finally {
      this.#candidate = undefined;
    }
  }

  /** Kills what runs of it, whatever it does. */
  kill(reason: string): void {
    const { session } = this;
    for (const one of [...this.#supervisor.retired, ...(session === undefined ? [] : [session])]) {
      one.kill({ kind: 'requested', detail: reason });
    }
  }

  /** What is kept ready was made for other circumstances. */
  async dropSpares(reason: string): Promise<void> {
    await this.#supervisor.dropSpares(reason);
  }

  changes(signal: AbortSignal): AsyncIterable<PluginState> {
    checkArguments('plugin.changes', { signal });
    return publicStates(this.#supervisor.changes(signal));
  }

  async execute<T = unknown>(
    capability: string | CapabilityRef,
    input: unknown,
    options: ExecuteOptions = noOptions,
    parent?: OpenCall,
  ): Promise<ExecuteResult<T>> {
    this.#services.assertUsable();
    if (options !== noOptions || typeof capability !== 'string')
      checkArguments('plugin.execute', { capability, options });
    const section = this.#generation.find(capability);
    this.#generation.takeCall();
    this.#services.called();
    const context = options.context === undefined ? this.#plainContext : { ...this.#plainContext, ...options.context };
    const tracer = registeredTracer();
    const span = tracer === undefined ? undefined : this.#span(tracer, section, context);
    const told = span === undefined ? context : { ...context, traceparent: span.traceparent };
    try {
      const origin = this.#origin(options, parent);
      const endsAtMs = parent?.endsAtMs;
      const call = { plugin: this.id, capability: section, input, options, context: told, origin, endsAtMs };
      const result = await invoke(call, this.#invokeServices);
      span?.answered();
      // The capability's output schema was checked; which type that is, the caller knows.
      return result as ExecuteResult<T>;
    } catch (error) {
      const shown = this.#told(error);
      // The first line is ours; what follows may be long, and its caller is told.
      if (shown instanceof MmmError && isLogged(shown)) this.#services.note('warn', firstLine(shown.message));
      span?.failed(shown);
      throw shown;
    }
  }

  /** A call that a call of another plugin led to is for the same client as that one. */
  #origin({ prompter, onProgress }: ExecuteOptions, parent: OpenCall | undefined): CallOrigin {
    const { prompter: usual, inLine } = this.#services;
    const given = prompter === null ? undefined : prompter && inLine(prompter);
    const inherited = parent === undefined ? usual : parent.origin.prompter;
    return { prompter: prompter === undefined ? inherited : given, onProgress, parent };
  }

  #span(tracer: Tracer, capability: CapabilitySection, context: CallContextFields): CallSpan | undefined {
    const { version } = this.spec.manifest.plugin;
    return startCallSpan(tracer, { plugin: this.id, version, capability, traceparent: undefined, ...context });
  }

  /** What a caller is told: without secrets, and that the host was closed where it stopped the plugin for that. */
  #told(error: unknown): unknown {
    const { redactor, isOpen } = this.#services;
    const stopped = MmmError.is(error, 'PLUGIN_EXITED') && error.data.reason.kind === 'requested';
    if (stopped && this.#withdrawn !== undefined) return this.#withdrawn;
    if (!stopped || isOpen()) return redactor === undefined ? error : redactor.error(error);
    return new MmmError('HOST_CLOSED', `The host was closed before ${this.id} answered.`, {}, { cause: error });
  }

  async complete(
    capability: string | CapabilityRef,
    partial: string,
  ): Promise<readonly { value: string; description?: string }[]> {
    this.#services.assertUsable();
    checkArguments('plugin.complete', { capability, partial });
    const section = this.#generation.find(capability);
    return await complete(
      { plugin: this.id, capability: section, partial },
      {
        session: (wait) => this.#session(wait),
        clock: this.#services.clock,
      },
    );
  }

  /**
   * Sends a request of the protocol other than `execute`, which counts as a call in flight until it settles. For the
   * host, not for embedders. Rejects with an MmmError, see `request`.
   */
  async request<M extends Method>(method: M, params: ParamsInput<M>, options: RequestOptions): Promise<Result<M>> {
    this.#services.assertUsable();
    this.#services.called();
    try {
      return await request(method, params, options, {
        plugin: this.id,
        session: (wait) => this.#session(wait),
        running: () => this.#live,
        queue: this.#queue,
        clock: this.#services.clock,
      });
    } catch (error) {
      throw this.#told(error);
    } finally {
      this.#supervisor.used();
    }
  }

  get #live(): Session | undefined {
    const { state } = this.#supervisor;
    const isLive = state.kind === 'running' || state.kind === 'degraded';
    return isLive && !state.session.connection.isClosed ? state.session : undefined;
  }

  async ping(): Promise<boolean> {
    const { session } = this;
    if (session === undefined) return false;
    try {
      await session.connection.call(pluginMethods.ping, {}, { timeoutMs: hostLimits.degradedAfterMs });
      return true;
    } catch (error) {
      // Any answer means alive, an error included; only silence and a closed pipe do not.
      return !(error instanceof CallFailed);
    }
  }

  #exited(reason: ExitReason, inUse: boolean): void {
    if (inUse) {
      this.#lastExit = reason;
      this.#endedBy = reason.kind === 'requested' ? undefined : reason.kind;
    }
    const detail = describeExit(reason);
    const stderrTail = 'stderrTail' in reason ? reason.stderrTail : '';
    this.#services.metrics.exited(this.id, { atMs: this.#services.clock.now(), kind: reason.kind, detail, stderrTail });
    this.#services.note(reason.kind === 'requested' ? 'info' : 'error', detail);
    this.#services.observe({ kind: 'exited', reason });
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
