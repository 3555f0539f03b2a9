import { logLevel } from '@mmm/protocol';
import type { LogLine, LogStream } from './plugin-log.ts';
import { printable } from './printable-json.ts';

const streams: readonly string[] = ['stderr', 'stdout', 'log', 'host'] satisfies LogStream[];

/**
 * One line of JSON with its newline. The message and the fields are cut to `bytesMax` each, and the cut is named. The
 * text can be printed: whatever could move a cursor stands in it as an escape.
 */
export function formatLine(line: LogLine, bytesMax: number): string {
  const { at, stream, level, message } = line;
  const head = { at, stream, level, message: cut(message, bytesMax) };
  const fields = boundedFields(line.fields, bytesMax);
  const text = JSON.stringify(fields === undefined ? head : { ...head, fields });
  return `${printable(text)}\n`;
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
  const bytes = Buffer.from(message, 'utf8');
  if (bytes.length <= bytesMax) return message;
  // A character that the cut goes through is left out.
  const kept = bytes.toString('utf8', 0, bytesMax).replace(/\ufffd{1,3}$/u, '');
  return `${kept}… (cut: it had ${bytes.length} bytes)`;
}

function boundedFields(fields: LogLine['fields'], bytesMax: number): LogLine['fields'] {
  if (fields === undefined || Object.keys(fields).length === 0) return undefined;
  const bytes = Buffer.byteLength(JSON.stringify(fields));
  return bytes <= bytesMax ? fields : { left_out_bytes: bytes };
}
