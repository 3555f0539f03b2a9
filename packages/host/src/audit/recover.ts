import { closeSync, constants, fstatSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { readAt } from '../log/lines-from-end.ts';
import type { Head } from '../store/store.ts';
import { rotatedFiles } from './audit-files.ts';
import { unsealLine } from './chain.ts';

/**
 * What may follow the head: the lines of crashes, and after a power cut those since SQLite's last checkpoint, at most a
 * thousand.
 */
const recoveryBytesMax = 16 * 1024 * 1024;

export interface Recovered {
  /** The entry to continue. */
  readonly last: Head;
  /** Length of the current file, after a torn line was cut off. */
  readonly bytes: number;
  readonly tornBytes: number;
}

/**
 * Finds where to go on. A process that was killed between writing a line and storing the head leaves whole lines after
 * the head, which are taken over if they continue the chain, or half a line, which is cut off and noted; or a file that
 * was full and has its new name already, which is followed into the next one.
 */
export function recover(descriptor: number, head: Head, directory: string): Recovered {
  const { size } = fstatSync(descriptor);
  if (size === head.bytes) return { last: head, bytes: size, tornBytes: 0 };
  let last = head;
  for (const { file } of rotatedFiles(directory).filter(({ lastSeq }) => head.seq > 0 && lastSeq >= head.seq)) {
    const next = followFile(file, last);
    // Not as a crash leaves it. Nothing is touched: the break in the chain is the evidence.
    if (next === undefined) return { last: head, bytes: endLine(descriptor, size), tornBytes: 0 };
    last = { ...next, bytes: 0 };
  }
  return followCurrent(descriptor, last, size);
}

function followCurrent(descriptor: number, head: Head, size: number): Recovered {
  // Shorter or much longer is not what a crash leaves either.
  const followed = size < head.bytes ? undefined : follow(descriptor, head, size);
  if (followed === undefined) return { last: head, bytes: endLine(descriptor, size), tornBytes: 0 };
  const { last, isWhole } = followed;
  if (!isWhole) return { last, bytes: endLine(descriptor, size), tornBytes: 0 };
  const tornBytes = size - last.bytes;
  if (tornBytes > 0) ftruncateSync(descriptor, last.bytes);
  return { last, bytes: last.bytes, tornBytes };
}

/** The last entry of a full file that continues the head; undefined when it does not, or does not end with a line. */
function followFile(file: string, head: Head): Head | undefined {
  const descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    const { size } = fstatSync(descriptor);
    const followed = size < head.bytes ? undefined : follow(descriptor, head, size);
    return followed?.isWhole === true && followed.last.bytes === size ? followed.last : undefined;
  } finally {
    closeSync(descriptor);
  }
}

/** The last of the whole lines after the head that continue it; `isWhole` when no line broke the chain. */
function follow(
  descriptor: number,
  head: Head,
  size: number,
): { readonly last: Head; readonly isWhole: boolean } | undefined {
  if (size > head.bytes + recoveryBytesMax) return undefined;
  const rest = readAt(descriptor, head.bytes, size - head.bytes);
  let last = head;
  let start = 0;
  for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a, start)) {
    const entry = unsealLine(rest.subarray(start, end));
    if ('problem' in entry || entry.seq !== last.seq + 1 || entry.prev !== last.hash) return { last, isWhole: false };
    start = end + 1;
    last = { seq: entry.seq, hash: entry.hash, bytes: head.bytes + start };
  }
  return { last, isWhole: true };
}

/** Puts the newline that a foreign last line lacks, so that the next entry has its own. Returns the length. */
function endLine(descriptor: number, size: number): number {
  if (size === 0 || readAt(descriptor, size - 1, 1)[0] === 0x0a) return size;
  writeSync(descriptor, '\n');
  return size + 1;
}
