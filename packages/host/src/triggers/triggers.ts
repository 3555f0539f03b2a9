import type { TriggerInstance } from './instance.ts';
import { type InstanceState, type PolledPlugin, type PollerServices, TriggerPoller } from './poller.ts';

export interface TriggersServices extends PollerServices {
  plugin(id: string): PolledPlugin;
}

/** Every trigger that is to be armed, by plugin. */
export class Triggers {
  readonly #services: TriggersServices;
  readonly #pollers = new Map<string, TriggerPoller>();

  constructor(services: TriggersServices) {
    this.#services = services;
  }

  /** From here on these and no others. A plugin of which nothing is armed any more may be stopped like any other. */
  set(instances: readonly TriggerInstance[]): void {
    const wanted = new Map<string, TriggerInstance[]>();
    for (const instance of instances) {
      const of = wanted.get(instance.plugin) ?? [];
      wanted.set(instance.plugin, of);
      // Mappings with the same configuration share one.
      if (!of.some((other) => other.instance === instance.instance)) of.push(instance);
    }
    for (const plugin of wanted.keys()) {
      if (this.#pollers.has(plugin)) continue;
      this.#pollers.set(plugin, new TriggerPoller(this.#services.plugin(plugin), this.#services));
    }
    for (const [plugin, poller] of this.#pollers) poller.set(wanted.get(plugin) ?? []);
  }

  /** It has to stay up: something of it is armed, or is to be. */
  isNeeded(plugin: string): boolean {
    return (this.#pollers.get(plugin)?.instances.length ?? 0) > 0;
  }

  stateOf({ plugin, instance }: Pick<TriggerInstance, 'plugin' | 'instance'>): InstanceState {
    return this.#pollers.get(plugin)?.stateOf(instance) ?? { kind: 'waiting' };
  }

  /** What keeps a plugin from starting may be over. Without a name: of all. */
  retry(plugin?: string): void {
    if (plugin !== undefined) this.#pollers.get(plugin)?.retry();
    else for (const poller of this.#pollers.values()) poller.retry();
  }

  /** Resolves when nothing is polled any more. */
  async close(): Promise<void> {
    await Promise.all([...this.#pollers.values()].map((poller) => poller.close()));
  }
}
