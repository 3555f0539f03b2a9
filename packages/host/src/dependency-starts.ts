import { MmmError } from '@mmm/protocol';
import {
  type DependencyReport,
  type DependentPlugin,
  dependencyReports,
  type FindPlugin,
  requirementsOf,
} from './dependencies/requirements.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { Handles } from './handles.ts';
import { hostLimits } from './limits.ts';
import type { PluginHandle } from './plugin.ts';
import type { SessionWait } from './supervise/waiters.ts';

export interface DependencyServices {
  readonly handles: Handles;
  /** Every plugin that is known. */
  plugins(): Promise<readonly PluginSpec[]>;
  isEnabled(spec: PluginSpec): boolean;
  open(id: string): Promise<PluginHandle>;
}

/** Starts what a plugin needs before it, and stops what needs it before it. */
export class DependencyStarts {
  readonly #services: DependencyServices;
  readonly #stopping = new Set<string>();

  constructor(services: DependencyServices) {
    this.#services = services;
  }

  /** What is there of what each of these plugins needs, in their order. */
  async reports(specs: readonly PluginSpec[]): Promise<readonly (readonly DependencyReport[])[]> {
    if (specs.every(({ manifest }) => manifest.dependencies.length === 0)) return specs.map(() => []);
    const find = await this.#find();
    return specs.map((spec) => dependencyReports(this.#asked(spec), find));
  }

  /** True when everything that the plugin requires runs: nothing has to be waited for. */
  areRunning({ manifest }: PluginSpec): boolean {
    const { handles } = this.#services;
    return manifest.dependencies.every(({ plugin, optional }) => optional || isLive(handles.get(plugin)));
  }

  /**
   * Starts what the plugin needs, all at once, each after what it needs itself; waits with those that restart. Throws
   * DEPENDENCY_MISSING or DEPENDENCY_CYCLE before anything is started, DEPENDENCY_FAILED when a required one could not
   * be, and CONSENT_REQUIRED as the one that asks for it throws it, because it is the user's to decide.
   */
  async start(spec: PluginSpec, wait: SessionWait): Promise<void> {
    if (spec.manifest.dependencies.length === 0) return;
    const needed = requirementsOf(this.#asked(spec), await this.#find());
    await Promise.all(
      needed.map(async ({ plugin, optional }) => {
        try {
          const handle = await this.#services.open(plugin);
          await handle.start({ deadlineMs: hostLimits.startTimeoutMaxMs, ...wait });
        } catch (error) {
          wait.signal?.throwIfAborted();
          if (!optional) throw failed(spec.id, plugin, error);
        }
      }),
    );
  }

  /** Whether a plugin that runs, or is about to, requires it. */
  isNeeded(id: string): boolean {
    return dependentsOf(id, this.#services.handles.values()).some(isUp);
  }

  /** Stops those that run, or are about to, and require the plugin: each after those that require it. */
  async stopDependents(id: string): Promise<void> {
    // Plugins that were exchanged while they ran may by now require each other.
    if (this.#stopping.has(id)) return;
    this.#stopping.add(id);
    try {
      const reason = `"${id}", which it needs, is being stopped`;
      const running = dependentsOf(id, this.#services.handles.values()).filter(isUp);
      await Promise.all(running.map((handle) => handle.stop(reason)));
    } finally {
      this.#stopping.delete(id);
    }
  }

  async #find(): Promise<FindPlugin> {
    const known = new Map((await this.#services.plugins()).map((spec) => [spec.id, spec]));
    return (id) => {
      const spec = known.get(id);
      return spec === undefined ? undefined : this.#asked(spec);
    };
  }

  #asked(spec: PluginSpec): DependentPlugin {
    const { id, manifest } = spec;
    const enabled = this.#services.isEnabled(spec);
    return { id, version: manifest.plugin.version, enabled, dependencies: manifest.dependencies };
  }
}

/** Those that require the plugin. */
export function dependentsOf(id: string, handles: readonly PluginHandle[]): readonly PluginHandle[] {
  return handles.filter(({ spec }) => {
    return spec.manifest.dependencies.some(({ plugin, optional }) => plugin === id && !optional);
  });
}

function isLive(handle: PluginHandle | undefined): boolean {
  const kind = handle?.state.kind;
  return kind === 'running' || kind === 'degraded';
}

function isUp(handle: PluginHandle): boolean {
  return isLive(handle) || handle.state.kind === 'starting' || handle.state.kind === 'probing';
}

function failed(plugin: string, dependency: string, error: unknown): unknown {
  const passes = ['CONSENT_REQUIRED', 'HOST_CLOSED', 'DEPENDENCY_MISSING', 'DEPENDENCY_CYCLE'];
  if (!(error instanceof MmmError) || passes.includes(error.code)) return error;
  const isDeeper = MmmError.is(error, 'DEPENDENCY_FAILED');
  const chain = isDeeper ? [plugin, ...error.data.chain] : [plugin, dependency];
  const cause = isDeeper ? error.data.cause : error.code;
  const root = isDeeper && error.cause instanceof MmmError ? error.cause : error;
  const last = chain.at(-1) ?? dependency;
  const way = chain.length > 2 ? ` (${chain.join(' → ')})` : '';
  const message = `Plugin "${plugin}" was not started: "${last}", which it needs${way}, did not start. ${root.message}`;
  return new MmmError('DEPENDENCY_FAILED', message, { plugin, dependency: last, cause, chain }, { cause: root });
}
