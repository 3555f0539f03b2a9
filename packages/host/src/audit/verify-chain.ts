import { closeSync, constants, openSync, readSync } from 'node:fs';
import { emptyHead } from '../store/chain-head.ts';
import type { Head } from '../store/store.ts';
import { type AuditRecord, unsealLine } from './chain.ts';

export interface AuditVerification {
  /** Entries that are in order, up to the first problem. */
  readonly entries: number;
  /** The first place that is not as it was written: `line` counts from 1 in `file`. */
  readonly problem?: { readonly file: string; readonly line: number; readonly reason: string };
}

/** Longer than any line that append writes; a longer one is reported, not read. */
const lineBytesMax = 1024 * 1024;

/**
 * Reads the whole log, its files oldest first, and finds the first line that was edited, removed, added or moved. With
 * `head` it also finds that the end was cut off or that everything was written anew. What follows the head may be
 * there, also half a line: another process may append meanwhile, and a crash may leave it. A missing file has no
 * entries. Throws what reading throws.
 */
export function verifyChain(files: readonly string[], head: Head | undefined): AuditVerification {
  let last = emptyHead;
  let [file = '', line] = [files[0], 0];
  for (file of files) {
    line = 0;
    for (const text of linesOf(file)) {
      line += 1;
      const entry = check(text, last, head, line === 1);
      if ('problem' in entry) return { entries: last.seq, problem: { file, line, reason: entry.problem } };
      last = { seq: entry.seq, hash: entry.hash, bytes: 0 };
    }
  }
  if (head !== undefined && last.seq < head.seq) {
    const reason = `the log ends after entry ${last.seq}, but entry ${head.seq} was written: its end was cut off`;
    return { entries: last.seq, problem: { file, line: line + 1, reason } };
  }
  return { entries: last.seq };
}

function check(
  line: Buffer,
  last: Head,
  head: Head | undefined,
  isFirst: boolean,
): AuditRecord | { readonly problem: string } {
  const entry = unsealLine(line);
  if ('problem' in entry) return entry;
  if (isFirst && entry.seq > last.seq + 1) {
    const missing = `entries ${last.seq + 1} to ${entry.seq - 1} are missing: the file that held them was removed`;
    return { problem: `it is entry ${entry.seq}, but entry ${last.seq + 1} should be here: ${missing}` };
  }
  if (entry.seq !== last.seq + 1) {
    const expected = `entry ${last.seq + 1} should be here`;
    return { problem: `it is entry ${entry.seq}, but ${expected}: lines were removed, added or moved` };
  }
  if (entry.prev !== last.hash)
    return { problem: 'it does not continue the entry before it: one of the two was replaced' };
  if (head?.seq === entry.seq && head.hash !== entry.hash) {
    return { problem: 'it is not the entry that state.db remembers: the log was written anew' };
  }
  return entry;
}

/** The complete lines in file order. One that is too long ends the reading: it is given out as far as it was read. */
export function* linesOf(file: string): Generator<Buffer, void, undefined> {
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  try {
    let rest = Buffer.alloc(0);
    const buffer = Buffer.alloc(64 * 1024);
    for (let read = readSync(descriptor, buffer); read > 0; read = readSync(descriptor, buffer)) {
      let bytes = Buffer.concat([rest, buffer.subarray(0, read)]);
      for (let end = bytes.indexOf(0x0a); end >= 0; end = bytes.indexOf(0x0a)) {
        yield bytes.subarray(0, end);
        bytes = bytes.subarray(end + 1);
      }
      rest = Buffer.from(bytes);
      if (rest.length > lineBytesMax) {
        yield rest;
        return;
      }
    }
  } finally {
    closeSync(descriptor);
  }
}
