import { matchesGlob, typeMatcher } from '../events/glob.ts';
import type { ListedMapping, MappingTrigger, TriggerSettings } from '../settings/mappings.ts';
import { instanceNameOf, type TriggerInstance } from '../triggers/instance.ts';
import { type Condition, meets } from './condition.ts';
import { deviceEvents, deviceKeys, isDeviceType } from './device-events.ts';
import { readTemplate, type Template } from './template.ts';

/** What a mapping looks at. */
export interface MappedEvent {
  readonly type: string;
  readonly data: unknown;
  readonly source: string;
  readonly instance: string | null;
}

/** One mapping of the file, made ready to be asked about each event. */
export interface Mapping extends ListedMapping {
  /** What its place in the journal is kept under. */
  readonly consumer: string;
  /** The trigger that is armed for it; undefined when its events come from wherever. */
  readonly instance: TriggerInstance | undefined;
  readonly params: Template;
  /** Whether events of a type can be for it. */
  wantsType(type: string): boolean;
  matches(event: MappedEvent): boolean;
  /** An event that it is for, as far as its trigger says what that is. */
  sample(): MappedEvent;
}

const consumerPrefix = 'mapping:';

export function consumerOf(mapping: string): string {
  return `${consumerPrefix}${mapping}`;
}

export function isMappingConsumer(consumer: string): boolean {
  return consumer.startsWith(consumerPrefix);
}

/**
 * Compiles a mapping. `triggerOf` names the trigger of a plugin when the file leaves that out; undefined when the
 * plugin has not exactly one.
 */
export function compileMapping(
  listed: ListedMapping,
  triggers: Readonly<Record<string, TriggerSettings>>,
  triggerOf: (plugin: string) => string | undefined,
): Mapping {
  const { trigger, action } = listed.settings;
  const instance = instanceOf(trigger, triggers, triggerOf);
  const { type, source } = trigger;
  const glob = type === undefined ? '*' : isDeviceType(type) ? deviceEvents[type].event : type;
  const wantsType = typeMatcher([glob]);
  const conditions = conditionsOf(trigger);
  return {
    ...listed,
    consumer: consumerOf(listed.name),
    instance,
    params: readTemplate(action.params, []),
    wantsType,
    matches: (event) => {
      if (instance !== undefined && (event.source !== instance.plugin || event.instance !== instance.instance)) {
        return false;
      }
      if (source !== undefined && !matchesGlob(source, event.source)) return false;
      return wantsType(event.type) && meets(event.data, conditions);
    },
    sample: () => ({
      type: glob.replaceAll('*', 'sample'),
      data: sampleData(conditions),
      source: instance?.plugin ?? source?.replaceAll('*', 'sample') ?? 'app:cli',
      instance: instance?.instance ?? null,
    }),
  };
}

function instanceOf(
  trigger: MappingTrigger,
  triggers: Readonly<Record<string, TriggerSettings>>,
  triggerOf: (plugin: string) => string | undefined,
): TriggerInstance | undefined {
  if (trigger.instance !== undefined) {
    const named = triggers[trigger.instance];
    return named === undefined ? undefined : namedInstance(trigger.instance, named, triggerOf);
  }
  const { plugin, config = {} } = trigger;
  if (plugin === undefined) return undefined;
  const name = trigger.trigger ?? triggerOf(plugin) ?? '';
  return { plugin, trigger: name, instance: instanceNameOf(name, config), config };
}

/** An entry of `[triggers]`. */
export function namedInstance(
  instance: string,
  { plugin, trigger, config }: TriggerSettings,
  triggerOf: (plugin: string) => string | undefined,
): TriggerInstance {
  return { plugin, trigger: trigger ?? triggerOf(plugin) ?? '', instance, config };
}

/** `where`, and beside the name of a device event its keys. */
function conditionsOf(trigger: MappingTrigger): ReadonlyMap<string, Condition> {
  const conditions = new Map<string, Condition>(Object.entries(trigger.where));
  const { type } = trigger;
  if (type === undefined || !isDeviceType(type)) return conditions;
  const written: Readonly<Record<string, unknown>> = trigger;
  for (const key of deviceKeys(type)) {
    const value = written[key] as Condition | undefined;
    if (value === undefined) continue;
    const [, field, bound] = /^(.*)_(min|max)$/.exec(key) ?? [];
    if (field === undefined || bound === undefined) {
      conditions.set(key, value);
      continue;
    }
    const before = conditions.get(field);
    // An exact value says more than its bounds.
    if (before !== undefined && (typeof before !== 'object' || Array.isArray(before))) continue;
    conditions.set(field, { ...(typeof before === 'object' ? before : {}), [bound]: value });
  }
  return conditions;
}

/** The simplest data that meets the conditions, for trying a mapping without its device. */
function sampleData(conditions: ReadonlyMap<string, Condition>): unknown {
  const data: Record<string, unknown> = {};
  for (const [path, condition] of conditions) {
    const value = sampleValue(condition);
    if (value !== undefined) data[path] = value;
  }
  return data;
}

function sampleValue(condition: Condition): unknown {
  if (typeof condition !== 'object') return condition;
  if (Array.isArray(condition)) return condition[0];
  const { min, max, glob } = condition as Exclude<Condition, readonly unknown[] | string | number | boolean>;
  return min ?? max ?? glob?.replaceAll('*', 'sample');
}
