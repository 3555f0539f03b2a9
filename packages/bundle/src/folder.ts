import type { BigIntStats } from 'node:fs';
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  lstatSync,
  opendirSync,
  openSync,
  read,
  readSync,
  realpathSync,
} from 'node:fs';
import { promisify } from 'node:util';
import { bundleLimits } from './limits.ts';

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Without O_NONBLOCK, opening a pipe that took a file's place would wait for ever. */
const fileFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
const readAsync = promisify(read);

/**
 * An open folder whose entries are reached through its descriptor: once open, nobody can put another folder in its
 * place, and no link below it is ever followed. The folder must be closed. Its calls are synchronous: each takes
 * microseconds, where the thread pool would take ten times as long.
 */
export class Folder {
  readonly #descriptor: number;
  readonly #base: string;

  private constructor(path: string) {
    this.#descriptor = openSync(path, directoryFlags);
    // Where there is no /proc, the path must do; links are still refused, but a swap of a parent is not seen.
    this.#base = existsSync('/proc/self/fd') ? `/proc/self/fd/${this.#descriptor}` : path;
  }

  /** Opens the folder that `path` means. Links on the way to it are the caller's and are resolved once, here. */
  static open(path: string): Folder {
    return new Folder(realpathSync(path));
  }

  /** Opens a folder right in this one. Fails with ELOOP or ENOTDIR for a link and anything else. */
  folder(name: string): Folder {
    return new Folder(this.#at(name));
  }

  /** Never follows a link. */
  stat(name: string): BigIntStats {
    return lstatSync(this.#at(name), { bigint: true });
  }

  /** Of the folder itself. */
  ownStat(): BigIntStats {
    return fstatSync(this.#descriptor, { bigint: true });
  }

  /** Opens a file right in this folder for reading. The caller must check what was opened and close it. */
  file(name: string): number {
    return openSync(this.#at(name), fileFlags);
  }

  /** The names in this folder, sorted, but no more than `limit` of them. */
  names(limit: number): string[] {
    const names: string[] = [];
    const entries = opendirSync(this.#base);
    try {
      while (names.length < limit) {
        const entry = entries.readSync();
        if (entry === null) break;
        names.push(entry.name);
      }
    } finally {
      entries.closeSync();
    }
    return names.sort();
  }

  close(): void {
    closeSync(this.#descriptor);
  }

  #at(name: string): string {
    return `${this.#base}/${name}`;
  }
}

/** Whether it is a regular file that has no second name through which it could be changed. */
export function isPlainFile(stats: BigIntStats): boolean {
  return stats.isFile() && stats.nlink === 1n;
}

/**
 * Hands out the rest of an open file piece by piece. `false` if it does not have exactly `size` bytes. Large files are
 * read by the thread pool, so that a host goes on answering meanwhile.
 */
export async function readPieces(
  descriptor: number,
  size: number,
  take: (piece: Uint8Array) => void | Promise<void>,
): Promise<boolean> {
  const buffer = Buffer.allocUnsafe(Math.min(size + 1, bundleLimits.readBytes));
  const isSmall = size < bundleLimits.readBytes;
  let total = 0;
  for (;;) {
    const count = isSmall
      ? readSync(descriptor, buffer)
      : (await readAsync(descriptor, buffer, 0, buffer.length, null)).bytesRead;
    if (count === 0) return total === size;
    total += count;
    if (total > size) return false;
    await take(buffer.subarray(0, count));
  }
}
