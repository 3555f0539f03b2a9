import { pluginName } from '@mmm/protocol';
import * as z from 'zod';
import { hostLimits } from '../limits.ts';

const numbers = {
  file_mb: z
    .number()
    .min(0.01)
    .max(1024)
    .optional()
    .describe(`Size in MB at which a log file is begun anew (${hostLimits.logFileBytes / 1024 / 1024}).`),
  file_days: z
    .number()
    .min(0.01)
    .max(3650)
    .optional()
    .describe(`Age in days at which it is, whatever its size (${hostLimits.logFileDays}).`),
  files: z
    .int()
    .min(1)
    .max(hostLimits.logFilesMax)
    .optional()
    .describe(`Files kept of each log, the current one included (${hostLimits.logFiles}); the oldest is removed.`),
} as const;

/** `[logs]` of config.toml. */
export const logsSection = z.strictObject({
  ...numbers,
  plugins: z
    .record(pluginName, z.strictObject(numbers))
    .default({})
    .describe('The same for one plugin, `[logs.plugins.NAME]`: counts more than the general numbers.'),
});
export type LogsSection = z.output<typeof logsSection>;

/** How the log of one plugin is rotated. */
export function rotationOf(plugin: string, section: LogsSection | undefined) {
  const own = section !== undefined && Object.hasOwn(section.plugins, plugin) ? section.plugins[plugin] : undefined;
  const { file_mb, file_days, files } = { ...section, ...own };
  return {
    fileBytes: file_mb === undefined ? hostLimits.logFileBytes : file_mb * 1024 * 1024,
    fileAgeMs: (file_days ?? hostLimits.logFileDays) * 24 * 60 * 60 * 1000,
    files: files ?? hostLimits.logFiles,
  };
}
