import { logLevel } from '@mmm/protocol';
import { printableJson } from '../display/safe-text.ts';
import { boundedFields } from './bounded-fields.ts';
import type { LogLine, LogStream } from './plugin-log.ts';

const streams: readonly string[] = ['stderr', 'stdout', 'log', 'host'] satisfies LogStream[];

/**
 * One line of JSON with its newline. The message and the fields are cut to `bytesMax` each, and the cut is named. The
 * text can be printed: whatever could move a cursor stands in it as an escape.
 */
export function formatLine(line: LogLine, bytesMax: number): string {
  const { at, stream, level, message } = line;
  const head = { at, stream, level, message: cut(message, bytesMax) };
  const { fields } = line;
  const isEmpty = fields === undefined || Object.keys(fields).length === 0;
  const text = JSON.stringify(isEmpty ? head : { ...head, fields: boundedFields(fields, bytesMax) });
  return `${printableJson(text)}\n`;
}

/** The line, or undefined for text that is none: half a line after a crash. */
export function parseLine(text: string): LogLine | undefined {
  try {
    const value = JSON.parse(text) as Partial<LogLine> | null;
    const valid =
      typeof value === 'object' &&
      value !== null &&
      typeof value.at === 'string' &&
      typeof value.message === 'string' &&
      streams.includes(value.stream ?? '') &&
      logLevel.safeParse(value.level).success;
    return valid ? (value as LogLine) : undefined;
  } catch {
    return undefined;
  }
}

function cut(message: string, bytesMax: number): string {
  // One UTF-16 unit takes at most three bytes: most messages need not be measured.
  if (message.length * 3 <= bytesMax) return message;
  const bytes = Buffer.byteLength(message);
  if (bytes <= bytesMax) return message;
  // Every UTF-16 unit takes at least one byte, so no more than this need be encoded.
  const start = Buffer.from(message.slice(0, bytesMax), 'utf8');
  // A character that the cut goes through is left out.
  const kept = start.toString('utf8', 0, bytesMax).replace(/\ufffd{1,3}$/u, '');
  return `${kept}… (cut: it had ${bytes} bytes)`;
}
