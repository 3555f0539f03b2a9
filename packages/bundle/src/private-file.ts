import { closeSync, constants, fstatSync, openSync, readSync } from 'node:fs';
import { bundleLimits } from './limits.ts';

/** Replaces a file of the home folder, mode 0600, in one step and onto the disk. Throws what the file system says. */
export type WritePrivateFile = (file: string, text: string) => void;

/** Loaded by the first who writes: a start that only reads need not wait for the library. */
export async function privateFileWriter(): Promise<WritePrivateFile> {
  const { default: writeFileAtomic } = await import('write-file-atomic');
  return (file, text) => writeFileAtomic.sync(file, text, { mode: 0o600 });
}

/** Why a private file was not read. */
export class PrivateFileProblem extends Error {
  override readonly name = 'PrivateFileProblem';
}

/**
 * Reads a small file of the home folder. `undefined` if there is none. Throws PrivateFileProblem, whose message fits
 * after the file's name, for a link, a special file, a foreign owner, or permission bits in `refusedBits`.
 */
export function readPrivateFile(file: string, refusedBits: number): Buffer | undefined {
  let descriptor: number;
  try {
    descriptor = openSync(file, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return undefined;
    throw new PrivateFileProblem(
      code === 'ELOOP' ? 'is a symbolic link' : `cannot be opened (${code ?? 'unknown error'})`,
    );
  }
  try {
    const { mode, size, uid, isFile } = inspect(descriptor);
    if (!isFile) throw new PrivateFileProblem('is not a regular file');
    const owner = process.geteuid?.() ?? uid;
    if (uid !== owner && uid !== 0) throw new PrivateFileProblem(`belongs to user ${uid} instead of ${owner}`);
    if ((mode & refusedBits) !== 0) {
      throw new PrivateFileProblem(`may be used by others (mode ${mode.toString(8)}); run chmod 600 on it`);
    }
    if (size > bundleLimits.stateBytes) throw new PrivateFileProblem(`has more than ${bundleLimits.stateBytes} bytes`);
    return readWhole(descriptor, size);
  } finally {
    closeSync(descriptor);
  }
}

function inspect(descriptor: number): { mode: number; size: number; uid: number; isFile: boolean } {
  const stats = fstatSync(descriptor);
  return { mode: stats.mode & 0o777, size: stats.size, uid: stats.uid, isFile: stats.isFile() };
}

function readWhole(descriptor: number, size: number): Buffer {
  const buffer = Buffer.alloc(size);
  let total = 0;
  while (total < size) {
    const bytesRead = readSync(descriptor, buffer, total, size - total, null);
    if (bytesRead === 0) break;
    total += bytesRead;
  }
  return buffer.subarray(0, total);
}
