import { PluginError } from '@mmm/plugin-sdk';
import { Cron } from 'croner';

/** The moments of a timer, in epoch milliseconds. */
export interface Schedule {
  /** The first moment after this one; undefined when none will come. */
  next(afterMs: number): number | undefined;
  /** The last moment up to this one; undefined when there was none. */
  last(upToMs: number): number | undefined;
}

/** Fields of seconds are allowed, and a year is not: what happens once is no schedule. */
export function cronSchedule(expression: string, timeZone: string): Schedule {
  let cron: Cron;
  try {
    cron = new Cron(expression, { paused: true, timezone: timeZone, mode: '5-or-6-parts' });
    // A time zone that nobody knows shows at the first look.
    cron.nextRun(new Date(0));
  } catch (error) {
    const reason = error instanceof Error ? error.message.replace(/^CronPattern: |^CronDate: /, '') : String(error);
    throw new PluginError(`"${expression}" in ${timeZone} is no schedule: ${reason}`, {
      kind: 'invalid_params',
      details: { issues: [{ path: 'expression', message: reason }] },
    });
  }
  return {
    next: (afterMs) => cron.nextRun(new Date(afterMs))?.getTime(),
    last: (upToMs) => cron.previousRuns(1, new Date(upToMs + 1))[0]?.getTime(),
  };
}

/** Multiples of the interval since 1970: the same moments whenever it was started. */
export function intervalSchedule(seconds: number): Schedule {
  const everyMs = Math.round(seconds * 1000);
  return {
    next: (afterMs) => (Math.floor(afterMs / everyMs) + 1) * everyMs,
    last: (upToMs) => Math.floor(upToMs / everyMs) * everyMs,
  };
}
