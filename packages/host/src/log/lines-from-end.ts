import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';

const chunkBytes = 64 * 1024;
/** A longer line is no line of ours; reading stops there, so that a damaged file cannot fill the memory. */
const lineBytesMax = 1024 * 1024;
const newline = 0x0a;

/**
 * The complete lines of a file, last one first, without their newlines; what follows the last newline is left out.
 * Reads only as much of the file's end as is asked for. A missing file has no lines; other errors are thrown.
 */
export function* linesFromEnd(file: string): Generator<string, void, undefined> {
  const descriptor = openExisting(file);
  if (descriptor === undefined) return;
  try {
    let position = fstatSync(descriptor).size;
    // The start of a line whose end is already read, its pieces in file order; undefined until the last newline is met.
    let pieces: Buffer[] | undefined;
    let pieceBytes = 0;
    while (position > 0) {
      const start = Math.max(0, position - chunkBytes);
      const chunk = readAt(descriptor, start, position - start);
      position = start;
      let end = chunk.length;
      for (let at = chunk.lastIndexOf(newline); at >= 0; at = at > 0 ? chunk.lastIndexOf(newline, at - 1) : -1) {
        if (pieces !== undefined) yield Buffer.concat([chunk.subarray(at + 1, end), ...pieces]).toString('utf8');
        pieces = [];
        pieceBytes = 0;
        end = at;
      }
      if (pieces !== undefined) pieces.unshift(chunk.subarray(0, end));
      pieceBytes += end;
      if (pieceBytes > lineBytesMax) return;
    }
    if (pieces !== undefined) yield Buffer.concat(pieces).toString('utf8');
  } finally {
    closeSync(descriptor);
  }
}

function openExisting(file: string): number | undefined {
  try {
    return openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** Shorter than asked for only when the file ended meanwhile. */
export function readAt(descriptor: number, position: number, length: number): Buffer {
  const buffer = Buffer.alloc(length);
  let filled = 0;
  while (filled < length) {
    const read = readSync(descriptor, buffer, filled, length - filled, position + filled);
    if (read === 0) break;
    filled += read;
  }
  return buffer.subarray(0, filled);
}
