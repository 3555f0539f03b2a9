import { PluginError } from '@mmm/plugin-sdk';

const dayMs = 86_400_000;

/**
 * Calendar time without a zone is kept as the milliseconds at which UTC shows the same calendar and clock ("wall"
 * time), so that the arithmetic of UTC, which has no clock changes, can be used on it.
 */
export interface Zone {
  readonly name: string;
  /** What calendars and clocks of the zone show at an instant. */
  wallOf(instantMs: number): number;
  /**
   * The instant at which they show that. A time that a clock change skips is moved forward by the change; of one that
   * occurs twice the first is taken.
   */
  instantOf(wallMs: number): number;
}

const utc: Zone = { name: 'UTC', wallOf: (instantMs) => instantMs, instantOf: (wallMs) => wallMs };

/** The zone of an IANA name. Throws a PluginError for a name that this machine's data does not have. */
export function zoneOf(name = 'UTC'): Zone {
  if (name === 'UTC') return utc;
  const format = formatOf(name);
  const wallOf = (instantMs: number): number => {
    const shown: Record<string, number> = {};
    for (const { type, value } of format.formatToParts(instantMs)) shown[type] = Number(value);
    const { year = 1, month = 1, day = 1, hour = 0, minute = 0, second = 0 } = shown;
    // The formatter has no milliseconds before 1970 that could be trusted; they are the same in every zone.
    return wallAt(year, month, day, hour, minute, second, ((instantMs % 1000) + 1000) % 1000);
  };
  const instantOf = (wallMs: number): number => {
    const offsetBefore = wallOf(wallMs - dayMs) - (wallMs - dayMs);
    const offsetAfter = wallOf(wallMs + dayMs) - (wallMs + dayMs);
    const first = wallMs - offsetBefore;
    if (wallOf(first) === wallMs) return first;
    const second = wallMs - offsetAfter;
    return wallOf(second) === wallMs ? second : first;
  };
  return { name, wallOf, instantOf };
}

function formatOf(timeZone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
      numberingSystem: 'latn',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
  } catch {
    throw new PluginError(`There is no time zone "${timeZone}". Use an IANA name, such as Europe/Berlin.`, {
      kind: 'invalid_params',
      details: { issues: [{ path: 'timezone', message: 'is not a known time zone' }] },
    });
  }
}

/** Wall time from its parts; months and days from 1. Parts out of range carry over, as in a calendar. */
export function wallAt(year: number, month: number, day: number, hour = 0, minute = 0, second = 0, ms = 0): number {
  const date = new Date(0);
  // Date.UTC would read the years 0 to 99 as 1900 to 1999.
  date.setUTCFullYear(year, month - 1, day);
  date.setUTCHours(hour, minute, second, ms);
  return date.getTime();
}
