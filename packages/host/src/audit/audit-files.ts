import { closeSync, constants, fsyncSync, openSync, readdirSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';

/** What entries are appended to. */
export const currentName = 'audit.jsonl';
/** A full file carries the number of its last entry, so that names in order are entries in order. */
const rotated = /^audit\.(\d{12})\.jsonl$/;

/** The files of the log, oldest first; the current one is the last, whether it is there or not. */
export function auditFiles(directory: string): readonly string[] {
  return [...rotatedFiles(directory).map(({ file }) => file), join(directory, currentName)];
}

/** The full ones with the number of their last entry, oldest first. */
export function rotatedFiles(directory: string): readonly { readonly file: string; readonly lastSeq: number }[] {
  return namesIn(directory)
    .flatMap((name) => {
      const digits = rotated.exec(name)?.[1];
      return digits === undefined ? [] : [{ file: join(directory, name), lastSeq: Number(digits) }];
    })
    .sort((left, right) => left.lastSeq - right.lastSeq);
}

/** Puts a full file by under the number of its last entry. Nothing is ever written to it again. */
export function rotate(file: string, lastSeq: number): void {
  const directory = dirname(file);
  renameSync(file, join(directory, `audit.${String(lastSeq).padStart(12, '0')}.jsonl`));
  syncFolder(directory);
}

/** A file is only there after a power cut when its folder was written too. */
export function syncFolder(folder: string): void {
  const descriptor = openSync(folder, constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function namesIn(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
