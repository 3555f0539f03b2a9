import { fstatSync } from 'node:fs';
import { readAt } from './lines-from-end.ts';

const newline = 0x0a;

/** Why a log has gaps. */
export interface LogTrouble {
  /** Lines that could not be written so far. */
  readonly lines: number;
  /** Fits after a colon. */
  readonly reason: string;
}

/** The disk took some of a line and not the rest, which is how it says that it is full. */
export class ShortWrite extends Error {
  override readonly name = 'ShortWrite';
  readonly code = 'ENOSPC';
}

export function troubleReason(error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'the disk is full';
  if (code === 'EIO') return 'the disk reports an error';
  if (code === undefined) return 'it cannot be put down as a line';
  return `the file cannot be written (${code})`;
}

/** Whether the last thing in a file is half a line. */
export function endsWithinLine(descriptor: number): boolean {
  const { size } = fstatSync(descriptor);
  return size > 0 && readAt(descriptor, size - 1, 1)[0] !== newline;
}
