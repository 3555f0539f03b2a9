import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type CallContext,
  type CapabilityRef,
  type CapabilitySection,
  type ExitReason,
  pluginMethods,
} from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import { CallFailed } from '@mmm/rpc';
import type { ExecuteOptions, ExecuteResult, Plugin } from './api.ts';
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
import { restartPolicyOf } from './supervise/restart.ts';
import type { PluginState } from './supervise/state.ts';
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
  /** Throws HOST_CLOSED or PLUGIN_DISABLED. */
  assertUsable(): void;
  /** A line of the host's in the plugin's log. */
  note(level: 'info' | 'warn' | 'error', message: string): void;
}

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
      readFile: (path) => readFile(join(spec.directory, path), 'utf8'),
      bundleKey: `${spec.id} ${spec.manifestSha256} ${spec.directory}`,
      metrics: services.metrics,
      clock: services.clock,
    };
  }

  get state(): PluginState {
    return this.#supervisor.state;
  }

  /** The running session, if there is one. For the host, not for embedders. */
  get session(): Session | undefined {
    const { state } = this;
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
    return this.#supervisor.changes(signal);
  }

  async execute(
    capability: string | CapabilityRef,
    input: unknown,
    options: ExecuteOptions = {},
  ): Promise<ExecuteResult> {
    this.#services.assertUsable();
    const section = this.#find(capability);
    const { context } = options;
    const called = invoke(
      {
        plugin: this.id,
        capability: section,
        input,
        options,
        context: context === undefined ? this.#plainContext : { ...this.#plainContext, ...context },
      },
      this.#invokeServices,
    );
    const { redactor } = this.#services;
    if (redactor === undefined) return await called;
    return await called.catch((error: unknown) => {
      throw redactor.error(error);
    });
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
