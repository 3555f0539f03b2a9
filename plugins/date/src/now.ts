import { formatDate, formatInstant, formatTime } from './moment.ts';
import { zoneOf } from './zone.ts';

export interface NowInput {
  readonly timezone?: string;
  readonly format?: 'iso' | 'date' | 'time' | 'weekday' | 'unix';
}

const weekdays = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** The given moment as people in the zone would write it. */
export function now({ timezone, format = 'iso' }: NowInput, instantMs: number): string {
  const zone = zoneOf(timezone);
  const wholeMs = Math.floor(instantMs / 1000) * 1000;
  const wallMs = zone.wallOf(wholeMs);
  switch (format) {
    case 'iso':
      return formatInstant(wholeMs, zone);
    case 'date':
      return formatDate(wallMs);
    case 'time':
      return formatTime(wallMs);
    case 'weekday':
      return weekdays[new Date(wallMs).getUTCDay()] ?? '';
    case 'unix':
      return String(wholeMs / 1000);
  }
}
