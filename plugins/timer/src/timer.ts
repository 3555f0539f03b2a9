import {
  type ArmedTrigger,
  definePlugin,
  defineTrigger,
  type Plugin,
  type PluginContext,
  PluginError,
} from '@mmm/plugin-sdk';
import { LastTicks } from './last-ticks.ts';
import { cronSchedule, intervalSchedule, type Schedule } from './schedule.ts';
import { type Missed, Ticker, type Times } from './ticker.ts';

interface Common {
  readonly missed?: Missed;
  readonly data?: unknown;
}
interface CronConfig extends Common {
  readonly expression: string;
  readonly time_zone?: string;
}
interface IntervalConfig extends Common {
  readonly seconds: number;
}
interface NextInput {
  readonly expression: string;
  readonly time_zone?: string;
  readonly after?: string;
  readonly count?: number;
}

export function timerPlugin(times: Times): Plugin {
  return definePlugin({
    name: 'timer',
    version: '1.0.0',
    triggers: {
      cron: defineTrigger<CronConfig>({
        start: (trigger, context) => {
          const { expression, time_zone: timeZone = 'UTC' } = trigger.config;
          return tickOn(cronSchedule(expression, timeZone), trigger, context, times);
        },
      }),
      interval: defineTrigger<IntervalConfig>({
        start: (trigger, context) => tickOn(intervalSchedule(trigger.config.seconds), trigger, context, times),
      }),
    },
    tools: {
      next: { execute: (input: NextInput) => nextMoments(input, times.now()) },
    },
  });
}

function tickOn(
  schedule: Schedule,
  { instance, config, emit }: ArmedTrigger<Common>,
  { plugin, log }: PluginContext,
  times: Times,
): () => void {
  const ticks = new LastTicks(plugin.dataDirectory);
  const ticker = new Ticker({
    schedule,
    missed: config.missed ?? 'skip',
    lastMs: ticks.read(instance),
    times,
    tick: async ({ scheduledMs, missed }) => {
      const scheduled = new Date(scheduledMs).toISOString();
      const data = { scheduled, missed, ...(config.data === undefined ? {} : { data: config.data }) };
      // The moment is the id: told again after a crash, it is dropped.
      await emit({ type: 'timer.tick', id: scheduled, data });
      ticks.write(instance, scheduledMs);
    },
    failed: (error) => log.error(`a tick of ${instance} was lost: ${String(error)}`),
  });
  return () => ticker.stop();
}

function nextMoments({ expression, time_zone: timeZone = 'UTC', after, count = 5 }: NextInput, nowMs: number) {
  const schedule = cronSchedule(expression, timeZone);
  const moments: string[] = [];
  let lastMs = after === undefined ? nowMs : Date.parse(after);
  if (Number.isNaN(lastMs)) {
    const issues = [{ path: 'after', message: 'is no moment such as 2026-01-31T07:00:00Z' }];
    throw new PluginError(`after: "${after}" is no moment.`, { kind: 'invalid_params', details: { issues } });
  }
  for (let index = 0; index < count; index += 1) {
    const nextMs = schedule.next(lastMs);
    if (nextMs === undefined) break;
    moments.push(new Date(nextMs).toISOString());
    lastMs = nextMs;
  }
  return moments;
}
