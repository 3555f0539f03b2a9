import { join } from 'node:path';
import type { AuditLog } from './audit/audit-log.ts';
import type { Catalog } from './catalog.ts';
import { isEnabled } from './decisions.ts';
import type { PluginSpec } from './discover/spec.ts';
import { EventActions } from './event-actions.ts';
import { EventConsumers } from './event-consumers.ts';
import { EventCauses } from './events/causes.ts';
import type { EventConsumer } from './events/consumer.ts';
import { EventDispatcher } from './events/dispatcher.ts';
import { EmitRate } from './events/emit-rate.ts';
import { EventJournal, type JournalEvent } from './events/journal.ts';
import { Sweeper } from './events/retention.ts';
import { EventsOfHost } from './events-of-host.ts';
import type { Handles } from './handles.ts';
import type { EventClient, EventServices } from './host-api/event-requests.ts';
import type { Requester } from './host-api/requester.ts';
import { HostEventRecorder, type PluginObserver } from './host-events.ts';
import type { MetricsRecorder } from './metrics/recorder.ts';
import type { OpenPlugins } from './open-plugins.ts';
import type { ResolvedOptions } from './options.ts';
import { emitRateOf, retentionOf } from './settings/events.ts';
import type { Store } from './store/store.ts';

const pluginChanges: ReadonlySet<string> = new Set(['plugin.installed', 'plugin.updated', 'plugin.removed']);

export interface HostEventsServicesParts {
  readonly options: ResolvedOptions;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly metrics: MetricsRecorder;
  readonly catalog: Catalog;
  readonly handles: Handles;
  readonly plugins: Pick<OpenPlugins, 'open'>;
  note(spec: PluginSpec, level: 'info' | 'warn' | 'error', message: string): void;
}

/** Everything of events, wired: the journal, its delivery, the requests of plugins and what the host tells itself. */
export class EventSystem implements EventServices {
  readonly journal: EventJournal;
  /** Told of each decision about a plugin that may let it run, or not: installed, enabled, granted and so on. */
  onDecided: ((plugin: string) => void) | undefined;
  /** Set by whoever has consumers that are no plugins: handles an event of theirs once. */
  handlerOf: ((consumer: string) => ((event: JournalEvent) => Promise<void>) | undefined) | undefined;
  readonly observer: PluginObserver;
  readonly #parts: () => HostEventsServicesParts;
  readonly #options: ResolvedOptions;
  readonly #dispatcher: EventDispatcher;
  readonly #causes = new EventCauses();
  readonly #consumers: EventConsumers;
  readonly #requesters = new WeakMap<object, Pick<Requester, 'need'>>();
  readonly #rates = new Map<string, EmitRate>();
  readonly #sweeper: Sweeper;
  readonly #actions: EventActions;

  /** `parts` are there when the first plugin is launched or the host is used; store and options from the start. */
  constructor(options: ResolvedOptions, store: Store, parts: () => HostEventsServicesParts) {
    const { clock, home } = options;
    this.#parts = parts;
    this.#options = options;
    this.journal = new EventJournal({ store: store.events, disk: store.wal, clock });
    this.#sweeper = new Sweeper(store.events, () => retentionOf(options.settings.events), clock);
    this.journal.onAppended((heads) => this.#sweeper.appended(heads.length));
    this.#dispatcher = new EventDispatcher({
      ...{ journal: this.journal, store: store.events, clock },
      lockFile: join(home.run, 'events.lock'),
    });
    this.#actions = new EventActions({
      causes: this.#causes,
      open: (id) => parts().plugins.open(id),
      need: async ({ session }, permission) => {
        const requester = session === undefined ? undefined : this.#requesters.get(session.plugin);
        if (requester === undefined) throw new Error('the plugin that asked for it has ended');
        await requester.need(permission);
      },
    });
    this.#consumers = new EventConsumers({
      ...{ dispatcher: this.#dispatcher, causes: this.#causes, actions: this.#actions },
      metrics: { count: (id, counter) => parts().metrics.count(id, counter) },
      open: (id) => parts().plugins.open(id),
      life: (id) => parts().handles.get(id)?.session?.plugin,
      enabled: (isWanted) => this.#enabled(isWanted),
      note: (spec, level, message) => parts().note(spec, level, message),
    });
    this.#dispatcher.add(this.#changesElsewhere());
    this.observer = new HostEventRecorder({
      journal: this.journal,
      later: (run) => clock.immediate(run),
      installedBundle: (plugin) => store.plugins.get(plugin)?.bundleSha256 ?? null,
      onDecided: (plugin, isContent) => void this.#changed(plugin, isContent),
      onExited: (plugin) => this.#consumers.forgetEnded(plugin),
    });
  }

  /** What programs see of it. */
  api(assertOpen: () => void): EventsOfHost {
    const { journal } = this;
    const { audit, store } = this.#parts();
    return new EventsOfHost({
      ...{ journal, audit, store: store.events, dispatcher: this.#dispatcher, consumers: this.#consumers },
      ...{ actions: this.#actions, clock: this.#options.clock, application: this.#options.caller.kind },
      enabled: (isWanted) => this.#enabled(isWanted),
      handlerOf: (consumer) => this.handlerOf?.(consumer),
      assertOpen,
    });
  }

  /** What led to what, for whoever calls plugins because of events. */
  get causes(): EventCauses {
    return this.#causes;
  }

  /** For consumers that are no plugins: what starts their delivery, too. */
  get dispatcher(): EventDispatcher {
    return this.#dispatcher;
  }

  begun({ life, requester }: EventClient): void {
    this.#requesters.set(life, requester);
  }

  async isPlugin(name: string): Promise<boolean> {
    const { plugins } = await this.#parts().catalog.discovery();
    return plugins.some(({ id }) => id === name);
  }

  depthOf(plugin: string): number {
    return this.#causes.depthOf(plugin);
  }

  mayEmit(plugin: string): boolean {
    let rate = this.#rates.get(plugin);
    if (rate === undefined) {
      rate = new EmitRate(emitRateOf(plugin, this.#options.settings.events), this.#options.clock);
      this.#rates.set(plugin, rate);
    }
    return rate.take();
  }

  async emit(plugin: string, type: string, data: unknown, depth: number): Promise<string> {
    const [appended] = await this.journal.append([{ type, data, source: plugin, depth }]);
    this.#parts().metrics.count(plugin, 'eventsEmitted');
    await this.#consumers.refreshed();
    this.#dispatcher.wake();
    return appended?.id ?? '';
  }

  subscribe(client: EventClient, glob: string): boolean {
    return this.#consumers.subscribe(client, glob);
  }

  unsubscribe(client: EventClient, glob: string): void {
    this.#consumers.unsubscribe(client, glob);
  }

  /** Forgets a plugin that was removed: its place in the journal, and what was put by for it. */
  async removed(plugin: string): Promise<void> {
    this.observer.removed(plugin);
    await this.#changed(plugin, true);
    this.#dispatcher.forget(plugin);
  }

  /** Delivers nothing more; what was decided a moment ago is still told. */
  async close(): Promise<void> {
    await new Promise<void>((resolve) => this.#options.clock.immediate(resolve));
    await this.#consumers.settled();
    this.#sweeper.close();
    await this.#dispatcher.close();
  }

  /** What another process installed or removed is known to this one from its events. */
  #changesElsewhere(): EventConsumer {
    return {
      name: 'host#plugins',
      isDurable: false,
      wants: ({ type }) => pluginChanges.has(type),
      handle: async () => {
        this.#parts().catalog.refresh();
        await this.#consumers.refresh();
      },
    };
  }

  async #changed(plugin: string, isContent: boolean): Promise<void> {
    if (isContent) this.#parts().catalog.refresh();
    this.onDecided?.(plugin);
    this.#rates.delete(plugin);
    await this.#consumers.refresh();
    this.#dispatcher.hurry(plugin);
  }

  async #enabled(isWanted: (spec: PluginSpec) => boolean): Promise<readonly PluginSpec[]> {
    const { catalog, store } = this.#parts();
    const { plugins } = await catalog.discovery();
    return plugins.filter((spec) => isWanted(spec) && isEnabled(spec, { store }));
  }
}
