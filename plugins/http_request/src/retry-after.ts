const monthNames = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec';
const clock = String.raw`\d{2}:\d{2}:\d{2}`;
/** The three forms of a date in HTTP: `Sun, 06 Nov 1994 …`, `Sunday, 06-Nov-94 …` and `Sun Nov  6 … 1994`. */
const datePattern = new RegExp(
  `^(?:[A-Z][a-z]+, \\d{2}[ -](?:${monthNames.replaceAll(' ', '|')})[ -]\\d{2}(?:\\d{2})? ${clock} GMT` +
    `|[A-Z][a-z]{2} (?:${monthNames.replaceAll(' ', '|')}) [ \\d]\\d ${clock} \\d{4})$`,
);

/** A date as HTTP writes it, in milliseconds since 1970. Undefined for anything else. */
export function parseHttpDate(text: string): number | undefined {
  if (!datePattern.test(text)) return undefined;
  const timeMs = Date.parse(text.endsWith('GMT') ? text : `${text} GMT`);
  return Number.isNaN(timeMs) ? undefined : timeMs;
}

/**
 * How long to wait, in seconds: Retry-After as seconds or as a date. A date is compared with the answer's own Date, if
 * it has one, because the two clocks may differ. Null without one that can be read.
 */
export function retryAfterSeconds(retryAfter: string | null, date: string | null, nowMs: number): number | null {
  const text = retryAfter?.trim() ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text);
  const untilMs = parseHttpDate(text);
  if (untilMs === undefined) return null;
  const sentMs = parseHttpDate(date?.trim() ?? '') ?? nowMs;
  return Math.max(0, Math.ceil((untilMs - sentMs) / 1000));
}
