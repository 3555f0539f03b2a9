import { safeText } from '@mmm/host/display';
import type { Io } from './io.ts';

/** What a plugin returned, for people and pipes. On a terminal it must not drive the terminal; line breaks stay. */
export function formatOutput(io: Io, output: unknown): string {
  const text = typeof output === 'string' ? output : JSON.stringify(output, undefined, 2);
  if (io.stdout.isTTY !== true) return text;
  return text
    .split('\n')
    .map((line) => safeText(line, Number.POSITIVE_INFINITY))
    .join('\n');
}
