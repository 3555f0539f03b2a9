import { randomBytes } from 'node:crypto';
import {
  type BigIntStats,
  closeSync,
  constants,
  existsSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  unlinkSync,
  writeSync,
} from 'node:fs';
import { hostLimits } from '../limits.ts';

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Without O_NONBLOCK, opening a pipe that took a file's place would wait for ever. */
const fileFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** Why a specification cannot be used: `missing`, or the end of a sentence about it. */
export class SpecFault extends Error {
  readonly isMissing: boolean;

  constructor(reason: string, isMissing = false) {
    super(reason);
    this.isMissing = isMissing;
  }
}

/** The names of folders and file below `specs`. Undefined for what is no name of a specification. */
export function specPath(name: string): readonly string[] | undefined {
  const parts = name.replace(/\.md$/, '').split('/');
  // A name that begins with a dot is hidden, and `..` is one of them.
  const isName = (part: string): boolean => part !== '' && !part.startsWith('.') && !/[\\\p{C}]/u.test(part);
  return parts.every(isName) ? [...parts.slice(0, -1), `${parts.at(-1) ?? ''}.md`] : undefined;
}

/**
 * One file below `specs` of a project, held by the descriptor of the folder it lies in: nobody can put another folder
 * in its place, and no link is followed on the way. Must be closed. Where the system has no /proc, links are still
 * refused, but a folder that is swapped while it is used is not seen.
 */
export class SpecFile {
  readonly #folder: number;
  readonly #base: string;
  readonly #name: string;

  private constructor(folder: number, path: string, name: string) {
    this.#folder = folder;
    this.#base = baseOf(folder, path);
    this.#name = name;
  }

  /** Throws SpecFault. Links on the way to the project itself are the user's and are followed. */
  static open(project: string, parts: readonly string[]): SpecFile {
    let path = realpathSync(project);
    let folder = openFolder(path);
    for (const part of ['specs', ...parts.slice(0, -1)]) {
      const next = `${baseOf(folder, path)}/${part}`;
      try {
        const inner = openFolder(next);
        path = `${path}/${part}`;
        closeSync(folder);
        folder = inner;
      } catch (error) {
        closeSync(folder);
        throw error;
      }
    }
    return new SpecFile(folder, path, parts.at(-1) ?? '');
  }

  /** Its bytes. Throws SpecFault. */
  read(): { readonly bytes: Buffer; readonly stats: BigIntStats } {
    const file = attempt(() => openSync(`${this.#base}/${this.#name}`, fileFlags));
    try {
      const stats = fstatSync(file, { bigint: true });
      if (!stats.isFile()) throw new SpecFault('is not a file');
      if (stats.nlink > 1n) throw new SpecFault('has a second name, through which something else would be changed');
      if (stats.size > BigInt(hostLimits.specBytes)) {
        throw new SpecFault(`is larger than ${hostLimits.specBytes / 1024} KiB`);
      }
      return { bytes: readFileSync(file), stats };
    } finally {
      closeSync(file);
    }
  }

  /**
   * Puts other bytes in its place, all at once and on the disk when this returns; owner and mode stay. Throws
   * SpecFault, also when somebody changed the file since it was read.
   */
  replace(bytes: Buffer, read: BigIntStats): void {
    const temporary = `${this.#base}/.${randomBytes(8).toString('hex')}.tmp`;
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const file = attempt(() => openSync(temporary, flags, 0o600));
    try {
      try {
        for (let written = 0; written < bytes.length; ) written += writeSync(file, bytes, written);
        if (process.getuid?.() === 0) fchownSync(file, Number(read.uid), Number(read.gid));
        fchmodSync(file, Number(read.mode & 0o7777n));
        fsyncSync(file);
      } finally {
        closeSync(file);
      }
      const now = lstatSync(`${this.#base}/${this.#name}`, { bigint: true });
      const isSame = now.ino === read.ino && now.size === read.size && now.mtimeNs === read.mtimeNs;
      if (!isSame) throw new SpecFault('was changed by somebody else at the same moment; try again');
      renameSync(temporary, `${this.#base}/${this.#name}`);
    } catch (error) {
      attempt(() => unlinkSync(temporary));
      if (error instanceof SpecFault) throw error;
      throw new SpecFault(`cannot be written: ${error instanceof Error ? error.message : String(error)}`);
    }
    fsyncSync(this.#folder);
  }

  close(): void {
    closeSync(this.#folder);
  }
}

function baseOf(folder: number, path: string): string {
  return existsSync('/proc/self/fd') ? `/proc/self/fd/${folder}` : path;
}

function openFolder(path: string): number {
  return attempt(() => openSync(path, directoryFlags));
}

function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') throw new SpecFault('does not exist', true);
    if (code === 'ELOOP' || code === 'ENOTDIR') throw new SpecFault('is reached through a link, which is not followed');
    throw new SpecFault(`cannot be used (${code ?? String(error)})`);
  }
}
