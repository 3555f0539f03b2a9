import { MmmError, type StorageProblem } from '@mmm/protocol';

const problems: Readonly<Record<string, StorageProblem>> = {
  ENOSPC: 'full',
  EDQUOT: 'full',
  EFBIG: 'full',
  EIO: 'io',
  EROFS: 'other',
};

const nextSteps: Readonly<Record<string, string>> = {
  full: 'The disk is full, or a file there may not grow: free some space, and try again.',
  io: 'The disk reports an error: look at what the kernel says of it (dmesg), and make a backup elsewhere.',
  other: 'The disk may only be read: make it writable, and try again.',
};

export interface DiskFailure {
  /** What could not be written; begins the sentence. */
  readonly what: string;
  readonly file: string;
  /** What stands now, as a sentence. */
  readonly after: string;
}

/**
 * What to throw for an error of the system's that a disk is the cause of: named, with what stands now and what to do.
 * Everything else is given back as it is.
 */
export function diskFailure(error: unknown, told: DiskFailure): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  const problem = syscall === undefined ? undefined : problems[code ?? ''];
  if (problem === undefined) return error;
  const { what, file, after } = told;
  const sentence = `${what} could not be written: ${message}. ${after} ${nextSteps[problem] ?? ''}`;
  return new MmmError('STATE_UNREADABLE', sentence, { file, reason: message, problem }, { cause: error });
}
