import { PluginError } from '@mmm/plugin-sdk';
import { daysInMonth, formatDate, formatInstant, parseMoment } from './moment.ts';
import { wallAt, zoneOf } from './zone.ts';

export interface AddInput {
  readonly date: string;
  readonly years?: number;
  readonly months?: number;
  readonly weeks?: number;
  readonly days?: number;
  readonly hours?: number;
  readonly minutes?: number;
  readonly seconds?: number;
  readonly timezone?: string;
}

const dayMs = 86_400_000;

/** The date moved by the units given: the calendar ones on the calendar of the zone, the others in elapsed time. */
export function add(input: AddInput): string {
  const { years = 0, months = 0, weeks = 0, days = 0, hours = 0, minutes = 0, seconds = 0 } = input;
  const zone = zoneOf(input.timezone);
  const start = parseMoment(input.date, zone, 'date');
  const wallMs = addMonths(zone.wallOf(start.instantMs), years * 12 + months) + (weeks * 7 + days) * dayMs;
  const elapsedMs = ((hours * 60 + minutes) * 60 + seconds) * 1000;
  if (start.kind === 'date') {
    if (elapsedMs === 0) return formatDate(wallMs);
    throw new PluginError(`hours, minutes and seconds need a date with a time, such as ${input.date}T00:00.`, {
      kind: 'invalid_params',
      details: { issues: [{ path: 'date', message: 'has no time' }] },
    });
  }
  formatDate(wallMs); // Refuses what is far outside the calendar before the zone is asked about it.
  const moved = years || months || weeks || days ? zone.instantOf(wallMs) : start.instantMs;
  formatDate(moved + elapsedMs);
  return formatInstant(moved + elapsedMs, zone);
}

/** Moves the calendar and keeps the clock. A day that the month does not have becomes its last. */
export function addMonths(wallMs: number, months: number): number {
  if (months === 0) return wallMs;
  const date = new Date(wallMs);
  const total = date.getUTCFullYear() * 12 + date.getUTCMonth() + months;
  const year = Math.floor(total / 12);
  const month = total - year * 12 + 1;
  const clockMs = ((wallMs % dayMs) + dayMs) % dayMs;
  return wallAt(year, month, Math.min(date.getUTCDate(), daysInMonth(year, month))) + clockMs;
}
