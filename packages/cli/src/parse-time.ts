import { MmmError } from '@mmm/protocol';

const unitsMs = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/**
 * A moment: `2027-01-31`, `2027-01-31T12:00:00Z`, or a time from now such as `30m`, `24h`, `7d`, which lies in the
 * future or in the past. Throws USAGE.
 */
export function parseTime(option: string, text: string, direction: 'future' | 'past', nowMs: number): Date {
  const [, count, unit] = /^(\d{1,6})([smhdw])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) {
    const ms = Number(count) * unitsMs[unit as keyof typeof unitsMs];
    return new Date(direction === 'future' ? nowMs + ms : nowMs - ms);
  }
  // Date.parse takes far more than these, each engine in its own way.
  const isSpeltRight = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,3})?)?(?:Z|[+-]\d{2}:\d{2}))?$/.test(text);
  const ms = isSpeltRight ? Date.parse(text) : Number.NaN;
  // A day that its month does not have rolls over into the next.
  const isThatDay =
    !Number.isNaN(ms) && new Date(`${text.slice(0, 10)}T00:00:00Z`).toISOString().startsWith(text.slice(0, 10));
  if (isThatDay) return new Date(ms);
  throw new MmmError(
    'USAGE',
    `${option} takes a date (2027-01-31), a moment (2027-01-31T12:00:00Z) or a time ` +
      `${direction === 'future' ? 'from now' : 'before now'} (30m, 24h, 7d), not ${JSON.stringify(text.slice(0, 40))}.`,
    { argument: option },
  );
}
