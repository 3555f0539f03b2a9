import { limitsSection as manifestLimits, pluginName } from '@mmm/protocol';
import * as z from 'zod';
import { hostLimits } from '../limits.ts';

const positive = z.number().positive().max(1e9);

/** What `[limits]` may say, in the units people write. Those that a manifest has too mean the same there. */
const limitFields = {
  memory_mb: positive.optional().describe('Memory of all its processes together, in MB.'),
  cpu: positive.optional().describe('Processor cores it may use, on the average of ten seconds.'),
  processes: z.int().min(1).max(1e9).optional().describe('Processes and threads.'),
  files: z.int().min(8).max(1e9).optional().describe('Open files of each of its processes.'),
  file_mb: positive.optional().describe('Largest file it may write, in MB.'),
  temporary_mb: positive.optional().describe('Its /tmp, and as much again for its /dev/shm, in MB of memory.'),
  disk_mb: positive.optional().describe('Its data folder, in MB.'),
  concurrency: z.int().min(1).max(4096).optional().describe('Calls in flight.'),
  calls_per_second: positive.optional().describe('Calls it takes in a second.'),
  output_mb_per_second: positive.optional().describe('What the host reads of its output in a second, in MB.'),
  log_lines_per_second: positive.optional().describe('Lines of its log in a second.'),
} as const;
export type LimitName = keyof typeof limitFields;
export const limitNames = Object.keys(limitFields) as readonly LimitName[];

/** One sentence for each limit, as the schema has it. */
export const limitSentences = Object.fromEntries(
  limitNames.map((name) => [name, limitFields[name].description ?? '']),
) as Readonly<Record<LimitName, string>>;

/** Whether a manifest may ask for it. */
export function isAskedFor(name: LimitName): name is LimitName & keyof typeof manifestLimits.shape {
  return name in manifestLimits.shape;
}

/** `[limits]` of config.toml. */
export const limitsSection = z.strictObject({
  ...limitFields,
  control_group: z
    .string()
    .regex(/^\/[^\0]*$/, 'must be an absolute path')
    .optional()
    .describe('A control group that was given to mmm, as a folder: each launch gets one below it. Unset: none.'),
  max: z.strictObject(limitFields).default({}).describe('The most a manifest may ask for; it gets that much.'),
  plugins: z
    .record(pluginName, z.strictObject(limitFields))
    .default({})
    .describe('What one plugin gets, whatever its manifest and the general values say.'),
});
export type LimitsSection = z.output<typeof limitsSection>;

/** Infinity stands for no limit. */
export type LimitValues = Readonly<Record<LimitName, number>>;

/** The limits of one plugin, each from where it was last decided. */
export interface PluginLimits extends LimitValues {
  /** What its manifest asked for and did not get. */
  readonly cut: readonly { readonly name: LimitName; readonly asked: number; readonly given: number }[];
}

/** What a plugin gets that asks for nothing, on a host whose settings say nothing. */
export const defaultLimits: LimitValues = {
  memory_mb: hostLimits.memoryMb,
  cpu: Number.POSITIVE_INFINITY,
  processes: hostLimits.processes,
  files: hostLimits.files,
  file_mb: hostLimits.fileSizeMb,
  temporary_mb: hostLimits.temporaryMb,
  disk_mb: hostLimits.diskMb,
  concurrency: hostLimits.callsInFlight,
  calls_per_second: Number.POSITIVE_INFINITY,
  output_mb_per_second: Number.POSITIVE_INFINITY,
  log_lines_per_second: hostLimits.logLinesPerSecond,
};

/** The most a manifest may ask for on such a host. */
export const askedMax: LimitValues = {
  memory_mb: hostLimits.memoryMaxMb,
  cpu: Number.POSITIVE_INFINITY,
  processes: hostLimits.processesMax,
  files: hostLimits.filesMax,
  file_mb: Number.POSITIVE_INFINITY,
  temporary_mb: Number.POSITIVE_INFINITY,
  disk_mb: hostLimits.diskMaxMb,
  concurrency: 4096,
  calls_per_second: Number.POSITIVE_INFINITY,
  output_mb_per_second: Number.POSITIVE_INFINITY,
  log_lines_per_second: Number.POSITIVE_INFINITY,
};

/**
 * What one plugin gets: what the settings say of it by name; else what its manifest asks for, or the general setting,
 * or the default, and never more than the most a manifest may ask for.
 */
export function pluginLimits(
  plugin: string,
  asked: Readonly<Partial<Record<LimitName, number | undefined>>>,
  settings: LimitsSection | undefined,
): PluginLimits {
  const own = settings?.plugins[plugin];
  const values = {} as Record<LimitName, number>;
  const cut: PluginLimits['cut'][number][] = [];
  for (const name of limitNames) {
    const most = settings?.max[name] ?? askedMax[name];
    const wanted = asked[name];
    const given = own?.[name] ?? Math.min(wanted ?? settings?.[name] ?? defaultLimits[name], most);
    values[name] = given;
    if (wanted !== undefined && wanted > given) cut.push({ name, asked: wanted, given });
  }
  return { ...values, cut };
}

/** What to change to give a plugin more, as the end of a sentence. */
export function howToRaise(plugin: string, name: LimitName): string {
  const key = /^[a-z0-9_-]+$/.test(plugin) ? plugin : `"${plugin}"`;
  return `raise ${name} in [limits.plugins.${key}] of config.toml`;
}
