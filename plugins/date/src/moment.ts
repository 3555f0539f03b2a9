import { PluginError } from '@mmm/plugin-sdk';
import { wallAt, type Zone } from './zone.ts';

/** What the author of a call wrote: a day, or a point in time. */
export interface Moment {
  readonly kind: 'date' | 'time';
  readonly instantMs: number;
}

const datePart = String.raw`(\d{4})-(\d{2})-(\d{2})`;
const timePart = String.raw`[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:\.(\d{1,3})\d*)?)?`;
const offsetPart = String.raw`(?:([Zz])|([+-])(\d{2}):?(\d{2}))?`;
const pattern = new RegExp(`^${datePart}(?:${timePart}${offsetPart})?$`);

/** Reads an ISO 8601 date or date-time; `field` names it in the error. A date means its first moment in the zone. */
export function parseMoment(text: string, zone: Zone, field: string): Moment {
  const match = pattern.exec(text);
  if (match === null) throw unreadable(field, text, 'is not a date: write 2026-01-31 or 2026-01-31T12:00');
  const [, year, month, day, hour, minute = '0', second = '0', fraction = '0', z, sign, offsetHour, offsetMinute] =
    match;
  const [y, mo, d] = [Number(year), Number(month), Number(day)];
  const [h, mi, s] = [Number(hour ?? 0), Number(minute), Number(second)];
  if (y < 1 || mo < 1 || mo > 12 || d < 1 || d > daysInMonth(y, mo)) {
    throw unreadable(field, text, 'does not exist in the calendar');
  }
  if (h > 23 || mi > 59 || s > 59) throw unreadable(field, text, 'has a time that no clock shows');
  const wallMs = wallAt(y, mo, d, h, mi, s, Number(fraction.padEnd(3, '0')));
  if (hour === undefined) return { kind: 'date', instantMs: zone.instantOf(wallMs) };
  if (z !== undefined) return { kind: 'time', instantMs: wallMs };
  if (sign === undefined) return { kind: 'time', instantMs: zone.instantOf(wallMs) };
  const offsetMinutes = Number(offsetHour) * 60 + Number(offsetMinute);
  if (Number(offsetHour) > 23 || Number(offsetMinute) > 59) throw unreadable(field, text, 'has an offset over a day');
  return { kind: 'time', instantMs: wallMs - (sign === '-' ? -1 : 1) * offsetMinutes * 60_000 };
}

function unreadable(field: string, text: string, problem: string): PluginError {
  return new PluginError(`${field}: "${text}" ${problem}.`, {
    kind: 'invalid_params',
    details: { issues: [{ path: field, message: problem }] },
  });
}

export function daysInMonth(year: number, month: number): number {
  return new Date(wallAt(year, month + 1, 0)).getUTCDate();
}

/** 2026-01-31, from wall time. */
export function formatDate(wallMs: number): string {
  const date = new Date(wallMs);
  const year = date.getUTCFullYear();
  if (!(year >= 1 && year <= 9999)) {
    throw new PluginError('The result is outside the years 1 to 9999.', { kind: 'invalid_params' });
  }
  return `${String(year).padStart(4, '0')}-${two(date.getUTCMonth() + 1)}-${two(date.getUTCDate())}`;
}

/** 12:00:00, with milliseconds only when there are some. */
export function formatTime(wallMs: number): string {
  const date = new Date(wallMs);
  const ms = date.getUTCMilliseconds();
  const time = `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;
  return ms === 0 ? time : `${time}.${String(ms).padStart(3, '0')}`;
}

/** 2026-01-31T12:00:00+01:00; Z in UTC. */
export function formatInstant(instantMs: number, zone: Zone): string {
  const wallMs = zone.wallOf(instantMs);
  const text = `${formatDate(wallMs)}T${formatTime(wallMs)}`;
  if (zone.name === 'UTC') return `${text}Z`;
  // Local mean time, before zones were introduced, has offsets with seconds, which ISO 8601 cannot write.
  const offsetMinutes = Math.round((wallMs - instantMs) / 60_000);
  const size = Math.abs(offsetMinutes);
  return `${text}${offsetMinutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

function two(value: number): string {
  return String(value).padStart(2, '0');
}
