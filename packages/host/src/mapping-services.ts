import { join } from 'node:path';
import { SchemaValidator } from './call/schema.ts';
import type { Catalog } from './catalog.ts';
import { isEnabled } from './decisions.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { EventCauses } from './events/causes.ts';
import type { EventDispatcher } from './events/dispatcher.ts';
import { pluginTypeProblem } from './events/event-types.ts';
import type { EventJournal, JournalEvent } from './events/journal.ts';
import type { Handles } from './handles.ts';
import type { Launcher } from './launcher.ts';
import { hostLimits } from './limits.ts';
import { actionCapability, type MappingCheckParts } from './mapping-checks.ts';
import { MappingConsumers } from './mappings/consumers.ts';
import { isMappingConsumer } from './mappings/mapping.ts';
import { type MappedCall, MappingRunner } from './mappings/runner.ts';
import { MappingsOfHost } from './mappings-of-host.ts';
import type { OpenPlugins } from './open-plugins.ts';
import type { ResolvedOptions } from './options.ts';
import { polledPlugin } from './polled-plugin.ts';
import { suggest } from './source/suggest.ts';
import { FileLock } from './store/file-lock.ts';
import type { Store } from './store/store.ts';
import type { PolledEvent } from './triggers/poller.ts';
import { Triggers } from './triggers/triggers.ts';

export interface MappingSystemParts {
  readonly options: ResolvedOptions;
  readonly store: Store;
  readonly catalog: Catalog;
  readonly handles: Handles;
  readonly plugins: Pick<OpenPlugins, 'open'>;
  readonly launcher: Pick<Launcher, 'readFile' | 'note'>;
  readonly events: {
    readonly journal: EventJournal;
    readonly dispatcher: EventDispatcher;
    readonly causes: EventCauses;
    onDecided: ((plugin: string) => void) | undefined;
    handlerOf: ((consumer: string) => ((event: JournalEvent) => Promise<void>) | undefined) | undefined;
  };
}

/** Triggers and mappings, wired: what arms triggers, journals what they tell, and calls what the file says. */
export function openMappings(parts: MappingSystemParts): MappingsOfHost {
  const { options, store, catalog, handles, plugins, launcher, events } = parts;
  const { clock, home } = options;
  const schemas = new SchemaValidator({ suggest });
  const known = new Map<string, PluginSpec>();
  const note = (plugin: string, level: 'info' | 'warn', message: string): void => {
    const spec = known.get(plugin);
    if (spec !== undefined) launcher.note(spec, level, message);
  };
  const runner = new MappingRunner({
    clock,
    mode: () => api.currentMode,
    setMode: (name) => void api.setMode(name),
    execute: (call, signal) => execute(call, parts, signal),
  });
  const triggers: Triggers = new Triggers({
    clock,
    plugin: (id) => polledPlugin(id, { handles, plugins, note }),
    record: async (plugin, polled) => {
      const isPlugin = (name: string): boolean => known.has(name);
      const journalled = polled.filter((event) => {
        const problem = eventProblem(plugin, event, isPlugin);
        if (problem !== undefined) note(plugin, 'warn', `an event of its trigger was dropped: it ${problem}`);
        return problem === undefined;
      });
      if (journalled.length === 0) return 0;
      const appended = await events.journal.append(
        journalled.map(({ id, instance, type, data }) => ({ type, data, source: plugin, origin: { instance, id } })),
      );
      return appended.filter(({ isNew }) => isNew).length;
    },
    onChange: () => undefined,
  });
  const checks = (): MappingCheckParts => ({
    ...{ plugins: known, schemas },
    isEnabled: (spec) => isEnabled(spec, { store }),
    readFile: (spec, path) => launcher.readFile(spec, path),
  });
  const api: MappingsOfHost = new MappingsOfHost({
    ...{ triggers, runner, known, checks, clock },
    consumers: new MappingConsumers({
      dispatcher: events.dispatcher,
      store: store.events,
      runner,
      isActive: (mapping) => api.isActive(mapping),
    }),
    settings: () => options.settings,
    mode: store.mode,
    discover: async () => (await catalog.discovery()).plugins,
    takeLock: () => FileLock.take(join(home.run, 'triggers.lock')),
    dispatcher: events.dispatcher,
  });
  events.onDecided = (plugin) => void api.decided(plugin).catch(() => undefined);
  events.handlerOf = (consumer) => {
    return isMappingConsumer(consumer) ? (event) => api.retry(consumer, event) : undefined;
  };
  options.live.onChange(() => void api.refresh().catch(() => undefined));
  return api;
}

/** Whatever the action emits meanwhile comes from this event. */
async function execute(
  { plugin, capability, params, timeoutMs, context, depth }: MappedCall,
  { plugins, events }: MappingSystemParts,
  signal: AbortSignal | undefined,
): Promise<{ output: unknown; durationMs: number }> {
  if (depth >= hostLimits.eventDepth) {
    throw new Error(`${depth} events led to it, one through the other: that is a loop`);
  }
  const handle = await plugins.open(plugin);
  const { kind, name } = actionCapability(handle.spec, capability);
  const options = {
    context,
    // Nobody waits for it who could be asked.
    prompter: null,
    ...(signal === undefined ? {} : { signal }),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
  };
  return await events.causes.during(plugin, depth, () => handle.execute({ kind, name }, params, options));
}

const idChars = 500;

/** Why an event of a trigger cannot be journalled, or undefined. */
function eventProblem(
  plugin: string,
  { id, type, data }: PolledEvent,
  isPlugin: (name: string) => boolean,
): string | undefined {
  if (id === '' || id.length > idChars) return `has an id that is empty or has more than ${idChars} characters`;
  const problem = pluginTypeProblem(type, plugin, isPlugin);
  if (problem !== undefined) return `has the type ${JSON.stringify(type.slice(0, 200))}, which ${problem}`;
  const text = JSON.stringify(data) ?? 'null';
  const isTooLarge = text.length > hostLimits.eventBytes / 4 && Buffer.byteLength(text) > hostLimits.eventBytes;
  return isTooLarge ? `has more than ${hostLimits.eventBytes / 1024} KiB of data` : undefined;
}
