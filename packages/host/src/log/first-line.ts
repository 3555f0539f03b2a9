import { closeSync, constants, openSync } from 'node:fs';
import { readAt } from './lines-from-end.ts';

/** A line begins with its time: enough of it to read that. */
const headBytes = 64;
const head = /^\{"at":"(\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}\.\d{3}Z)"/;

/** When the first line of a log file was written; undefined for a file that does not begin with a line of ours. */
export function firstLine(file: string): { readonly at: string } | undefined {
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const [, at] = head.exec(readAt(descriptor, 0, headBytes).toString('utf8')) ?? [];
    return at === undefined ? undefined : { at };
  } finally {
    closeSync(descriptor);
  }
}
