import { pluginName } from '@mmm/protocol';
import * as z from 'zod';
import { hostLimits } from '../limits.ts';

const days = z.number().min(0.01).max(3650);
const perSecond = z.number().min(0.1).max(1e6);

/** `[events]` of config.toml. */
export const eventsSection = z.strictObject({
  keep_days: days
    .optional()
    .describe(`Days that events are kept once everybody has handled them (${hostLimits.eventDays}).`),
  unhandled_days: days
    .optional()
    .describe(`Days that they are kept for a plugin that has not (${hostLimits.eventUnhandledDays}).`),
  journal_mb: z
    .number()
    .min(1)
    .max(65_536)
    .optional()
    .describe(`Size of the journal in MB, beyond which the oldest are dropped (${hostLimits.eventJournalMb}).`),
  per_second: perSecond
    .optional()
    .describe(`Events that one plugin may emit in a second (${hostLimits.eventsPerSecond}).`),
  plugins: z
    .record(pluginName, z.strictObject({ per_second: perSecond }))
    .default({})
    .describe('The same for one plugin, `[events.plugins.NAME]`.'),
});
export type EventsSection = z.output<typeof eventsSection>;

/** Events that one plugin may emit in a second. */
export function emitRateOf(plugin: string, section: EventsSection | undefined): number {
  const own = section !== undefined && Object.hasOwn(section.plugins, plugin) ? section.plugins[plugin] : undefined;
  return own?.per_second ?? section?.per_second ?? hostLimits.eventsPerSecond;
}

/** How long events are kept. */
export function retentionOf(section: EventsSection | undefined) {
  return {
    days: section?.keep_days ?? hostLimits.eventDays,
    unhandledDays: section?.unhandled_days ?? hostLimits.eventUnhandledDays,
    journalBytes: (section?.journal_mb ?? hostLimits.eventJournalMb) * 1024 * 1024,
  };
}
