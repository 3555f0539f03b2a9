import { addMonths } from './add.ts';
import { parseMoment } from './moment.ts';
import { type Zone, zoneOf } from './zone.ts';

export interface DifferenceInput {
  readonly from: string;
  readonly to: string;
  readonly timezone?: string;
}

export interface Difference {
  readonly total_seconds: number;
  readonly total_days: number;
  readonly parts: Readonly<Record<'years' | 'months' | 'days' | 'hours' | 'minutes' | 'seconds', number>>;
}

const dayMs = 86_400_000;

/** The time from one date to another; everything is negative when the second one is earlier. */
export function difference(input: DifferenceInput): Difference {
  const zone = zoneOf(input.timezone);
  const from = parseMoment(input.from, zone, 'from').instantMs;
  const to = parseMoment(input.to, zone, 'to').instantMs;
  const midnights = Math.floor(zone.wallOf(to) / dayMs) - Math.floor(zone.wallOf(from) / dayMs);
  const sign = to < from ? -1 : 1;
  const parts = sign < 0 ? partsBetween(to, from, zone) : partsBetween(from, to, zone);
  return {
    total_seconds: (to - from) / 1000,
    total_days: midnights,
    parts: Object.fromEntries(Object.entries(parts).map(([unit, value]) => [unit, value === 0 ? 0 : sign * value])),
  } as Difference;
}

/** As many whole months as fit, then as many whole days, then elapsed time: adding them in this order leads back. */
function partsBetween(from: number, to: number, zone: Zone): Difference['parts'] {
  const wallFrom = zone.wallOf(from);
  const wallTo = zone.wallOf(to);
  const [start, end] = [new Date(wallFrom), new Date(wallTo)];
  let months = (end.getUTCFullYear() - start.getUTCFullYear()) * 12 + end.getUTCMonth() - start.getUTCMonth();
  while (months > 0 && zone.instantOf(addMonths(wallFrom, months)) > to) months -= 1;
  const wallAfterMonths = addMonths(wallFrom, months);
  let days = Math.max(0, Math.floor((wallTo - wallAfterMonths) / dayMs));
  while (days > 0 && zone.instantOf(wallAfterMonths + days * dayMs) > to) days -= 1;
  // Nothing moved: the start itself, which may be the second of two equal clock times.
  const moved = months === 0 && days === 0 ? from : zone.instantOf(wallAfterMonths + days * dayMs);
  const restSeconds = (to - moved) / 1000;
  const minutes = Math.floor(restSeconds / 60);
  return {
    years: Math.floor(months / 12),
    months: months % 12,
    days,
    hours: Math.floor(minutes / 60),
    minutes: minutes % 60,
    seconds: Math.round((restSeconds - minutes * 60) * 1000) / 1000,
  };
}
