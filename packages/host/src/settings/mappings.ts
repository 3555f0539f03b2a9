import { pluginName } from '@mmm/protocol';
import * as z from 'zod';
import { allDeviceKeys, deviceEvents, deviceKeys, isDeviceType } from '../mappings/device-events.ts';
import { readTemplate, type TemplateProblem } from '../mappings/template.ts';
import { suggest } from '../source/suggest.ts';

/** More than anybody oversees; each is compared with each event. */
const mappingsMax = 500;
const modesMax = 64;
const triggersMax = 200;

const capabilityName = z.string().min(1).max(128);
const table = z.record(z.string(), z.unknown());
/** Stands in logs, in the audit log and on command lines. */
const name = z
  .string()
  .max(80)
  .regex(/^[A-Za-z0-9](?:[A-Za-z0-9_./ -]*[A-Za-z0-9_.-])?$/, 'must be letters, digits, spaces and "_", "-", ".", "/"');
const instanceName = z
  .string()
  .max(80)
  .regex(/^[A-Za-z0-9][A-Za-z0-9_.-]*$/, 'must be letters, digits, "_", "-" and "."');

const scalar = z.union([z.string().max(1000), z.number(), z.boolean()]);
const scalars = z.array(scalar).min(1).max(100);
const condition = z.union([
  scalar,
  scalars,
  z
    .strictObject({
      min: z.number().optional(),
      max: z.number().optional(),
      glob: z.string().max(1000).optional(),
      not: z.union([scalar, scalars]).optional(),
    })
    .refine((bounds) => Object.values(bounds).some((bound) => bound !== undefined)),
]);

/** `[triggers.NAME]` of config.toml: one arming of a trigger of a plugin, for any mappings and subscribers. */
const trigger = z.strictObject({
  plugin: pluginName.describe('The plugin.'),
  trigger: capabilityName.optional().describe('Which of its triggers; its only one when left out.'),
  config: table.default({}).describe('The configuration of this instance, by the schema of the trigger.'),
});

const deviceFields: Readonly<Record<string, z.ZodType>> = Object.fromEntries(
  [...allDeviceKeys()].map(([key, kind]) => {
    const one = kind === 'text' ? z.string().max(100) : z.number();
    if (kind === 'numbers') return [key, z.array(z.number()).min(1).max(100).optional()];
    return [key, kind === 'bound' ? one.optional() : z.union([one, z.array(one).min(1).max(100)]).optional()];
  }),
);

const mappingTrigger = z
  .strictObject({
    type: z
      .string()
      .min(1)
      .max(200)
      .optional()
      .describe('A glob of event types such as "file.*", or the name of a device event such as "Note".'),
    instance: instanceName.optional().describe('A trigger of [triggers]: only its events.'),
    plugin: pluginName.optional().describe('The plugin whose trigger is armed for this mapping.'),
    trigger: capabilityName.optional().describe('Which of its triggers; its only one when left out.'),
    config: table.optional().describe('The configuration of the trigger.'),
    source: z.string().max(200).optional().describe('A glob of the sources of events: plugins, or "host".'),
    where: z
      .record(z.string().min(1).max(200), condition)
      .default({})
      .describe('What fields of the event must be: a value, one of a list, or { min, max, glob, not }.'),
    // Known by their names alone: what they may stand beside is checked below.
    ...(deviceFields as Readonly<Record<never, z.ZodType>>),
  })
  .superRefine((value, context) => {
    const wrong = (path: readonly string[], message: string): void => {
      context.addIssue({ code: 'custom', path: [...path], message });
    };
    const { type, instance, plugin } = value;
    if (type === undefined && instance === undefined && plugin === undefined) {
      wrong([], 'names no event: give type, or plugin, or instance');
    }
    if (instance !== undefined && plugin !== undefined) wrong(['instance'], 'cannot stand beside plugin');
    for (const key of ['trigger', 'config'] as const) {
      if (value[key] !== undefined && plugin === undefined) wrong([key], 'needs plugin beside it');
    }
    if (type !== undefined && /^[A-Z]\w*$/.test(type) && !isDeviceType(type)) {
      const near = suggest(type, Object.keys(deviceEvents));
      const hint = near === undefined ? '' : `; did you mean "${near}"?`;
      wrong(['type'], `must be a type of event or one of ${Object.keys(deviceEvents).join(', ')}${hint}`);
    }
    const known = type !== undefined && isDeviceType(type) ? deviceKeys(type) : [];
    for (const key of Object.keys(deviceFields)) {
      if (!(key in value) || known.includes(key)) continue;
      const advice = known.length > 0 ? `; known for it: ${known.join(', ')}` : `: put it into where = { ${key} = … }`;
      wrong([key], `is no key for type = ${type === undefined ? 'nothing' : `"${type}"`}${advice}`);
    }
  });

const action = z
  .strictObject({
    type: z
      .enum(['Plugin', 'ModeChange'])
      .default('Plugin')
      .describe('Call a capability of a plugin, or put another mode in force.'),
    plugin: pluginName.optional(),
    capability: capabilityName
      .optional()
      .describe('What of it to call, by name, alias or kind:name; its only action, or only capability, if left out.'),
    params: table
      .default({})
      .describe('The input. {{event.data.path}} in a text stands for a value of the event.')
      .superRefine((params, context) => {
        const problems: TemplateProblem[] = [];
        readTemplate(params, problems);
        for (const { path, message } of problems) context.addIssue({ code: 'custom', path: [...path], message });
      }),
    timeout_s: z.number().positive().max(86_400).optional().describe('The most one try may take, in seconds.'),
    mode: name.optional().describe('Of ModeChange: the mode that is in force from then on.'),
  })
  .superRefine(({ type, plugin, mode, params, capability }, context) => {
    const wrong = (key: string, message: string): void => {
      context.addIssue({ code: 'custom', path: [key], message });
    };
    if (type === 'Plugin') {
      if (plugin === undefined) wrong('plugin', 'is missing: it names the plugin to call');
      if (mode !== undefined) wrong('mode', 'belongs to type = "ModeChange"');
      return;
    }
    if (mode === undefined) wrong('mode', 'is missing: it names the mode to put in force');
    if (plugin !== undefined) wrong('plugin', 'belongs to type = "Plugin"');
    if (capability !== undefined) wrong('capability', 'belongs to type = "Plugin"');
    if (Object.keys(params).length > 0) wrong('params', 'belongs to type = "Plugin"');
  });

const mapping = z.strictObject({
  name: name.optional().describe('Unique; "MODE/NUMBER" when left out.'),
  description: z.string().max(1000).optional(),
  enabled: z.boolean().default(true).describe('False: as if it were not there, but still checked.'),
  trigger: mappingTrigger.describe('Which events it is for.'),
  action: action.describe('What is done.'),
});

const mode = z.strictObject({
  name: name.describe('Unique.'),
  mappings: z.array(mapping).max(mappingsMax).default([]).describe('What events do while this mode is in force.'),
});

/** The keys of config.toml that say what events do. */
export const mappingSections = {
  triggers: z
    .record(instanceName, trigger)
    .refine((triggers) => Object.keys(triggers).length <= triggersMax, { message: `must be at most ${triggersMax}` })
    .optional()
    .describe('Triggers of plugins that are armed whatever mode is in force, by the name of the instance.'),
  modes: z.array(mode).max(modesMax).optional().describe('Sets of mappings, of which one is in force at a time.'),
  global_mappings: z.array(mapping).max(mappingsMax).optional().describe('Mappings of every mode.'),
} as const;

const sections = z.object(mappingSections);
export type MappingSections = z.output<typeof sections>;
export type MappingSettings = z.output<typeof mapping>;
export type MappingTrigger = z.output<typeof mappingTrigger>;
export type MappingAction = z.output<typeof action>;
export type TriggerSettings = z.output<typeof trigger>;

/** What holds between the sections: names are unique, and what is named is there. */
export function checkMappings(
  { triggers = {}, modes = [], global_mappings = [] }: MappingSections,
  context: z.core.$RefinementCtx<MappingSections>,
): void {
  const wrong = (path: (string | number)[], message: string): void => {
    context.addIssue({ code: 'custom', path, message });
  };
  const modeNames = modes.map((each) => each.name);
  modeNames.forEach((each, index) => {
    if (modeNames.indexOf(each) < index) wrong(['modes', index, 'name'], `repeats the mode "${each}"`);
  });
  const names = new Set<string>();
  for (const { path, name: id, settings } of listMappings({ modes, global_mappings })) {
    if (names.has(id)) wrong([...path, 'name'], `repeats the mapping "${id}"`);
    names.add(id);
    const { instance } = settings.trigger;
    if (instance !== undefined && !Object.hasOwn(triggers, instance)) {
      wrong([...path, 'trigger', 'instance'], missing(instance, 'trigger in [triggers]', Object.keys(triggers)));
    }
    const { mode: wanted } = settings.action;
    if (wanted !== undefined && !modeNames.includes(wanted)) {
      wrong([...path, 'action', 'mode'], missing(wanted, 'mode', modeNames));
    }
  }
  if (names.size > mappingsMax) wrong(['modes'], `hold more than ${mappingsMax} mappings with the global ones`);
}

function missing(named: string, what: string, known: readonly string[]): string {
  const near = suggest(named, known);
  return `names "${named}", which is no ${what}${near === undefined ? '' : `; did you mean "${near}"?`}`;
}

/** One mapping of the file, with its name and where it stands. */
export interface ListedMapping {
  readonly name: string;
  /** Null for one of every mode. */
  readonly mode: string | null;
  readonly path: readonly (string | number)[];
  readonly settings: MappingSettings;
}

/** The mappings of every mode first, then mode by mode, in the order of the file. */
export function listMappings({
  modes = [],
  global_mappings: everywhere = [],
}: Pick<MappingSections, 'modes' | 'global_mappings'>): ListedMapping[] {
  return [
    ...everywhere.map((settings, index): ListedMapping => {
      return { name: settings.name ?? `global/${index + 1}`, mode: null, path: ['global_mappings', index], settings };
    }),
    ...modes.flatMap(({ name: of, mappings }, modeIndex) =>
      mappings.map((settings, index): ListedMapping => {
        const path = ['modes', modeIndex, 'mappings', index];
        return { name: settings.name ?? `${of}/${index + 1}`, mode: of, path, settings };
      }),
    ),
  ];
}
