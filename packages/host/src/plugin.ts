import {
  type CallContext,
  type CapabilityRef,
  type CapabilitySection,
  type ExitReason,
  MmmError,
  pluginMethods,
} from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import { CallFailed } from '@mmm/rpc';
import type { Tracer } from '@opentelemetry/api';
import type { ExecuteOptions, ExecuteResult, Plugin } from './api.ts';
import { checkArguments } from './arguments.ts';
import type { CallContextFields } from './call/call-context.ts';
import { findCapability } from './call/find-capability.ts';
import { complete, type InvokeServices, invoke } from './call/invoke.ts';
import { CallQueue } from './call/queue.ts';
import { CallRate } from './call/rate.ts';
import type { SchemaValidator } from './call/schema.ts';
import type { Redactor } from './config/redactor.ts';
import type { PluginSpec } from './discover/spec.ts';
import { describeExit } from './display/exit-error.ts';
import type { Session } from './handshake/session.ts';
import { hostLimits } from './limits.ts';
import type { MetricsRecorder } from './metrics/recorder.ts';
import { type PluginState, publicState, publicStates } from './plugin-state.ts';
import type { PluginLimits } from './settings/limits.ts';
import { suggest } from './source/suggest.ts';
import type { CrashMemory } from './store/crash-memory.ts';
import type { SupervisionPolicy } from './supervise/policy.ts';
import { isLogged } from './supervise/recovery.ts';
import type { Spare } from './supervise/spares.ts';
import { Supervisor, type TakeSpare } from './supervise/supervisor.ts';
import type { SessionWait } from './supervise/waiters.ts';
import { type CallSpan, registeredTracer, startCallSpan } from './tracing/call-tracer.ts';

/** What one handle needs of the host that made it. */
export interface PluginServices {
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: Pick<MetricsRecorder, 'loaded' | 'called' | 'exited' | 'restarted'>;
  readonly schemas: SchemaValidator;
  readonly caller: CallContext['caller'];
  /** Takes the plugin's secrets out of errors; undefined when it has none. */
  readonly redactor: Redactor | undefined;
  readonly limits: Pick<PluginLimits, 'concurrency' | 'calls_per_second'>;
  /** Told of every call before it is made. */
  called(): void;
  readonly supervision: SupervisionPolicy;
  /** What outlives this host of its crashes; undefined when nothing does. */
  readonly crashes: CrashMemory | undefined;
  /** Starts one session, or takes what was kept ready, if that is still fit. */
  launch(signal: AbortSignal, takeSpare: TakeSpare): Promise<Session>;
  /** Starts a process to keep ready; undefined for a plugin that is none of its own. */
  readonly prepare: ((signal: AbortSignal) => Promise<Spare>) | undefined;
  /** What it needs of other plugins; undefined when it needs none. */
  readonly needs: PluginNeeds | undefined;
  /** Stops the plugins that need this one. */
  stopDependents(): Promise<void>;
  /** Whether one of them runs: then this one is not idle. */
  isNeeded(): boolean;
  /** The text of a file of the verified bundle. Starts nothing; throws what verifying throws. */
  readFile(path: string): Promise<string>;
  /** Throws HOST_CLOSED or PLUGIN_DISABLED. */
  assertUsable(): void;
  /** False from the moment the host is told to close. */
  isOpen(): boolean;
  /** A line of the host's in the plugin's log. */
  note(level: 'info' | 'warn' | 'error', message: string): void;
}

export interface PluginNeeds {
  /** Nothing has to be started or waited for. */
  areRunning(): boolean;
  /** Starts what is missing. Throws why it cannot. */
  start(wait: SessionWait): Promise<void>;
}

/** What `execute` gets when it gets none: known to be right. */
const noOptions: ExecuteOptions = {};

/** The one implementation of Plugin: binds a supervisor, a queue and the call stage together. */
export class PluginHandle implements Plugin {
  readonly id: string;
  readonly spec: PluginSpec;
  readonly #services: PluginServices;
  readonly #supervisor: Supervisor;
  readonly #invokeServices: InvokeServices;
  readonly #found = new Map<string, CapabilitySection>();
  readonly #rate: CallRate | undefined;
  readonly #plainContext: CallContextFields;
  #lastExit: ExitReason | null = null;
  /** How the session before ended, when nobody had asked for its end; undefined once another one runs. */
  #endedBy: ExitReason['kind'] | undefined;
  /** Why the last session was ended, when it was because of what it is. */
  #withdrawn: MmmError | undefined;

  constructor(spec: PluginSpec, services: PluginServices) {
    this.id = spec.id;
    this.spec = spec;
    this.#services = services;
    const { calls_per_second: callsPerSecond } = services.limits;
    this.#rate = Number.isFinite(callsPerSecond) ? new CallRate(spec.id, callsPerSecond, services.clock) : undefined;
    this.#plainContext = { caller: services.caller };
    this.#supervisor = new Supervisor({
      plugin: spec.id,
      policy: services.supervision,
      launch: (signal, takeSpare) => services.launch(signal, takeSpare),
      ...(services.prepare === undefined ? {} : { prepare: services.prepare }),
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
      },
      onExit: (reason) => this.#exited(reason),
      onChange: (state) => {
        if (state.kind !== 'quarantined') return;
        const until = new Date(state.untilMs).toISOString();
        services.note('error', `quarantined until ${until}: ${firstLine(state.cause.message)}`);
      },
    });
    this.#invokeServices = {
      session: (wait) => this.#session(wait),
      queue: new CallQueue({ plugin: spec.id, concurrency: services.limits.concurrency }),
      schemas: services.schemas,
      bundle: {
        key: `${spec.id} ${spec.manifestSha256} ${spec.directory}`,
        readFile: (path) => services.readFile(path),
      },
      metrics: {
        called: (id, call) => {
          this.#supervisor.used();
          services.metrics.called(id, call);
        },
      },
      clock: services.clock,
    };
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
    return this.#invokeServices.queue.active;
  }

  get queued(): number {
    return this.#invokeServices.queue.queued;
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
    if (needs === undefined || !isLive || needs.areRunning()) return this.#supervisor.session(wait);
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
    if (spec !== this.spec) return;
    this.#withdrawn = error;
    // Its end is the watch's business; what needs it is stopped as far as it can be.
    this.#services.stopDependents().catch(() => undefined);
    this.#supervisor.stop(error.message).catch(() => undefined);
  }

  reset(): void {
    this.#supervisor.reset();
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
  ): Promise<ExecuteResult<T>> {
    this.#services.assertUsable();
    if (options !== noOptions || typeof capability !== 'string')
      checkArguments('plugin.execute', { capability, options });
    const section = this.#find(capability);
    this.#rate?.take();
    this.#services.called();
    const context = options.context === undefined ? this.#plainContext : { ...this.#plainContext, ...options.context };
    const tracer = registeredTracer();
    const span = tracer === undefined ? undefined : this.#span(tracer, section, context);
    const told = span === undefined ? context : { ...context, traceparent: span.traceparent };
    try {
      const call = { plugin: this.id, capability: section, input, options, context: told };
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

  /** Finding is for people, with suggestions; what was found once is remembered, at most each name and alias. */
  #find(capability: string | CapabilityRef): CapabilitySection {
    if (typeof capability !== 'string') return findCapability(this.spec, capability, suggest);
    let section = this.#found.get(capability);
    if (section === undefined) {
      section = findCapability(this.spec, capability, suggest);
      this.#found.set(capability, section);
    }
    return section;
  }

  async complete(
    capability: string | CapabilityRef,
    partial: string,
  ): Promise<readonly { value: string; description?: string }[]> {
    this.#services.assertUsable();
    checkArguments('plugin.complete', { capability, partial });
    const section = this.#find(capability);
    return await complete(
      { plugin: this.id, capability: section, partial },
      {
        session: (wait) => this.#session(wait),
        clock: this.#services.clock,
      },
    );
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

  #exited(reason: ExitReason): void {
    this.#lastExit = reason;
    this.#endedBy = reason.kind === 'requested' ? undefined : reason.kind;
    const detail = describeExit(reason);
    const stderrTail = 'stderrTail' in reason ? reason.stderrTail : '';
    this.#services.metrics.exited(this.id, { atMs: this.#services.clock.now(), kind: reason.kind, detail, stderrTail });
    this.#services.note(reason.kind === 'requested' ? 'info' : 'error', detail);
  }
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}
