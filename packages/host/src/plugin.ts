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
import type { ExecuteOptions, ExecuteResult, Plugin } from './api.ts';
import { checkArguments } from './arguments.ts';
import { findCapability } from './call/find-capability.ts';
import { complete, type InvokeServices, invoke } from './call/invoke.ts';
import { CallQueue } from './call/queue.ts';
import type { SchemaValidator } from './call/schema.ts';
import type { Redactor } from './config/redactor.ts';
import type { PluginSpec } from './discover/spec.ts';
import { suggest } from './discover/suggest.ts';
import { describeExit } from './display/exit-error.ts';
import type { Session } from './handshake/session.ts';
import { hostLimits } from './limits.ts';
import type { MetricsRecorder } from './metrics/recorder.ts';
import { type PluginState, publicState, publicStates } from './plugin-state.ts';
import { restartPolicyOf } from './supervise/restart.ts';
import { Supervisor } from './supervise/supervisor.ts';

/** What one handle needs of the host that made it. */
export interface PluginServices {
  readonly clock: Clock;
  readonly random: () => number;
  readonly metrics: Pick<MetricsRecorder, 'loaded' | 'called' | 'exited'>;
  readonly schemas: SchemaValidator;
  readonly caller: CallContext['caller'];
  /** Takes the plugin's secrets out of errors; undefined when it has none. */
  readonly redactor: Redactor | undefined;
  launch(signal: AbortSignal): Promise<Session>;
  /** The text of a file of the verified bundle. Starts nothing; throws what verifying throws. */
  readFile(path: string): Promise<string>;
  /** Throws HOST_CLOSED or PLUGIN_DISABLED. */
  assertUsable(): void;
  /** False from the moment the host is told to close. */
  isOpen(): boolean;
  /** A line of the host's in the plugin's log. */
  note(level: 'info' | 'warn' | 'error', message: string): void;
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
  readonly #plainContext: Pick<CallContext, 'caller'>;
  #lastExit: ExitReason | null = null;

  constructor(spec: PluginSpec, services: PluginServices) {
    this.id = spec.id;
    this.spec = spec;
    this.#services = services;
    this.#plainContext = { caller: services.caller };
    this.#supervisor = new Supervisor({
      plugin: spec.id,
      policy: restartPolicyOf(spec.manifest),
      launch: (signal) => services.launch(signal),
      clock: services.clock,
      random: services.random,
      onLaunched: (session) => {
        services.metrics.loaded(spec.id, session.loadMs);
        services.note('info', `started with pid ${session.pid} in ${session.loadMs.toFixed(0)} ms`);
      },
      onExit: (reason) => this.#exited(reason),
    });
    this.#invokeServices = {
      session: (wait) => this.#supervisor.session(wait),
      queue: new CallQueue({ plugin: spec.id, concurrency: spec.manifest.limits.concurrency }),
      schemas: services.schemas,
      bundle: {
        key: `${spec.id} ${spec.manifestSha256} ${spec.directory}`,
        readFile: (path) => services.readFile(path),
      },
      metrics: services.metrics,
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

  get pid(): number | null {
    return this.session?.pid ?? null;
  }

  get lastExit(): ExitReason | null {
    return this.#lastExit;
  }

  async start(): Promise<void> {
    this.#services.assertUsable();
    await this.#supervisor.session();
  }

  async stop(reason = 'stopped by the host'): Promise<void> {
    checkArguments('plugin.stop', { reason });
    await this.#supervisor.stop(reason);
  }

  /** The end of the handle: calls that still wait get HOST_CLOSED, and nothing starts again. */
  async close(reason: string): Promise<void> {
    await this.#supervisor.close(reason);
  }

  reset(): void {
    this.#supervisor.reset();
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
    const { context } = options;
    try {
      const result = await invoke(
        {
          plugin: this.id,
          capability: section,
          input,
          options,
          context: context === undefined ? this.#plainContext : { ...this.#plainContext, ...context },
        },
        this.#invokeServices,
      );
      // The capability's output schema was checked; which type that is, the caller knows.
      return result as ExecuteResult<T>;
    } catch (error) {
      throw this.#told(error);
    }
  }

  /** What a caller is told: without secrets, and that the host was closed where it stopped the plugin for that. */
  #told(error: unknown): unknown {
    const { redactor, isOpen } = this.#services;
    const stopped = MmmError.is(error, 'PLUGIN_EXITED') && error.data.reason.kind === 'requested';
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
        session: (wait) => this.#supervisor.session(wait),
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
    const detail = describeExit(reason);
    const stderrTail = 'stderrTail' in reason ? reason.stderrTail : '';
    this.#services.metrics.exited(this.id, { atMs: this.#services.clock.now(), kind: reason.kind, detail, stderrTail });
    this.#services.note(reason.kind === 'requested' ? 'info' : 'error', detail);
  }
}
