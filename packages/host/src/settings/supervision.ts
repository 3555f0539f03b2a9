import { pluginName } from '@mmm/protocol';
import * as z from 'zod';

const seconds = z.number().min(0).max(1e9);
/** A ping each millisecond would be the only thing that a plugin does. */
const watchSeconds = z.number().min(0.1).max(1e9);

const numbers = {
  policy: z
    .enum(['always', 'on_failure', 'never'])
    .optional()
    .describe('When a plugin is started again: after every end, after a crash, or only when it is called anew.'),
  crashes_max: z
    .int()
    .min(0)
    .max(1000)
    .optional()
    .describe('Crashes within the window that quarantine a plugin (5). 0: never quarantined.'),
  window_s: seconds.optional().describe('The window, in seconds (180).'),
  backoff_ms: seconds.optional().describe('First pause before a restart, in milliseconds (250); doubles each time.'),
  backoff_max_s: seconds.optional().describe('Longest pause before a restart, in seconds (30).'),
  quarantine_s: seconds.optional().describe('After this one trial start of a quarantined plugin, in seconds (300).'),
  stable_s: seconds.optional().describe('Running this long forgets earlier crashes, in seconds (60).'),
  ping_after_s: watchSeconds
    .optional()
    .describe('Silence during a call after which a plugin that knows `ping` is asked, in seconds (3).'),
  degraded_after_s: watchSeconds.optional().describe('Without an answer to that it is shown as degraded (3).'),
  unresponsive_after_s: watchSeconds.optional().describe('Without an answer to that it is restarted (30).'),
  idle_stop_s: seconds.optional().describe('Stopped after so long without a call, in seconds (300). 0: never.'),
  standby: z
    .enum(['off', 'loaded', 'initialized'])
    .optional()
    .describe('A spare process kept ready: none, started only, or ready for calls.'),
} as const;

const pluginSupervision = z.strictObject(numbers);

/** `[supervision]` of config.toml. What it says counts more than what the author of a plugin wrote. */
export const supervisionSection = z.strictObject({
  ...numbers,
  plugins: z
    .record(pluginName, pluginSupervision)
    .default({})
    .describe('The same for one plugin, `[supervision.plugins.NAME]`: counts more than the general numbers.'),
});
export type SupervisionSection = z.output<typeof supervisionSection>;
export type SupervisionNumbers = z.output<typeof pluginSupervision>;

/** What the user set for one plugin, by name or for all of them. */
export function supervisionFor(plugin: string, section: SupervisionSection | undefined): SupervisionNumbers {
  if (section === undefined) return {};
  const { plugins, ...general } = section;
  const own = Object.hasOwn(plugins, plugin) ? plugins[plugin] : undefined;
  return { ...general, ...own };
}
