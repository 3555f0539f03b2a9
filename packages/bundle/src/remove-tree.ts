import { randomBytes } from 'node:crypto';
import { constants, existsSync } from 'node:fs';
import { chmod, type FileHandle, lstat, open, opendir, rename, rmdir, unlink } from 'node:fs/promises';
import { bundleLimits } from './limits.ts';

const directoryFlags = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW;
/** Linux's O_PATH, which Node has no name for: opens a folder that may not be read, so that its mode can be changed. */
const pathOnly = 0o10000000;
/** Entries read from a folder before the first of them is removed. */
const namesAtOnce = 512;
/** Removals that are under way at one time. */
const removalsAtOnce = 16;

/** What is left of a tree, and why. */
export interface Remains {
  /** Below the root of the tree; the first of them. */
  readonly path: string;
  readonly reason: string;
}

/**
 * Removes a tree that somebody else may be changing: whatever becomes of its folders meanwhile, no link is followed and
 * nothing outside the tree is touched. Every folder is opened without following links and what lies in it is reached
 * through the descriptor. Folders in folders are first moved up to the root, so that any depth takes two descriptors.
 * Read-only folders are made writable. Another file system mounted inside is left alone.
 *
 * Returns undefined when nothing is left, also when there was nothing. Where the system has no /proc, paths take the
 * place of descriptors: links are still looked for before each step, but a folder that is swapped for a link between
 * the look and the step is followed. Whoever runs plugins there must stop them first.
 */
export async function removeTree(root: string): Promise<Remains | undefined> {
  try {
    const status = await lstat(root);
    if (!status.isDirectory()) {
      await unlink(root);
      return undefined;
    }
    const folder = await openWritable(root);
    try {
      const remains = await new Removal(folder).empty();
      if (remains !== undefined) return remains;
    } finally {
      await folder.handle.close();
    }
    await rmdir(root);
    return undefined;
  } catch (error) {
    return isMissing(error) ? undefined : { path: '.', reason: messageOf(error) };
  }
}

/** A folder that stays the same one whatever is done to its path. */
interface OpenFolder {
  readonly handle: FileHandle;
  readonly base: string;
  readonly device: bigint;
}

class Removal {
  readonly #root: OpenFolder;
  /** Names in the root that stay, each with what stays of it. */
  readonly #stuck = new Map<string, Remains>();
  #left: number = bundleLimits.removals;

  constructor(root: OpenFolder) {
    this.#root = root;
  }

  async empty(): Promise<Remains | undefined> {
    for (;;) {
      const names = await namesIn(this.#root, (name) => !this.#stuck.has(name));
      if (names.length === 0) break;
      await inParallel(names, (name) => this.#removeFromRoot(name));
      if (this.#left <= 0) return { path: '.', reason: 'something goes on writing into it, or it has too many files' };
    }
    const [first] = this.#stuck.values();
    return first;
  }

  async #removeFromRoot(name: string): Promise<void> {
    try {
      this.#left -= 1;
      if (await unlinked(this.#root, name)) return;
      const folder = await openWritable(`${this.#root.base}/${name}`);
      try {
        if (folder.device !== this.#root.device) throw new Error('another file system is mounted there');
        await this.#flatten(folder, name);
      } finally {
        await folder.handle.close();
      }
      await rmdir(`${this.#root.base}/${name}`);
    } catch (error) {
      // What was exchanged or filled meanwhile gets another turn.
      if (!isRaced(error) && !this.#stuck.has(name)) this.#stuck.set(name, { path: name, reason: messageOf(error) });
    }
  }

  /** Removes the files of a folder and moves its folders up to the root, whose turn comes later. */
  async #flatten(folder: OpenFolder, shown: string): Promise<void> {
    const tried = new Set<string>();
    for (;;) {
      const names = await namesIn(folder, (name) => !tried.has(name));
      if (names.length === 0 || this.#left <= 0) return;
      for (const name of names) {
        this.#left -= 1;
        try {
          if (await unlinked(folder, name)) continue;
          await this.#lift(`${folder.base}/${name}`);
        } catch (error) {
          if (isRaced(error)) continue;
          tried.add(name);
          this.#stuck.set(shown, { path: `${shown}/${name}`, reason: messageOf(error) });
        }
      }
    }
  }

  /** A rename follows no link: if a link has taken the folder's place, the link is what moves. */
  async #lift(path: string): Promise<void> {
    const target = `${this.#root.base}/.${randomBytes(12).toString('hex')}`;
    try {
      await rename(path, target);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EACCES') throw error;
      // Only a folder that one may write to can be moved to another one.
      await (await openWritable(path)).handle.close();
      await rename(path, target);
    }
  }
}

/** True when it was no folder and is gone. */
async function unlinked(folder: OpenFolder, name: string): Promise<boolean> {
  const path = `${folder.base}/${name}`;
  if ((await lstat(path)).isDirectory()) return false;
  await unlink(path);
  return true;
}

async function namesIn(folder: OpenFolder, wanted: (name: string) => boolean): Promise<string[]> {
  const names: string[] = [];
  const entries = await opendir(folder.base);
  try {
    while (names.length < namesAtOnce) {
      const entry = await entries.read();
      if (entry === null) break;
      if (wanted(entry.name)) names.push(entry.name);
    }
  } finally {
    await entries.close();
  }
  return names;
}

async function openWritable(path: string): Promise<OpenFolder> {
  const handle = await openFolder(path);
  try {
    const status = await handle.stat({ bigint: true });
    if ((status.mode & 0o700n) !== 0o700n) await handle.chmod(0o700);
    const base = hasDescriptorPaths() ? `/proc/self/fd/${handle.fd}` : path;
    return { handle, base, device: status.dev };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function openFolder(path: string): Promise<FileHandle> {
  try {
    return await open(path, directoryFlags);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EACCES' || !hasDescriptorPaths()) throw error;
    return await openUnreadable(path);
  }
}

/** A folder of ours that may not even be read: its mode is changed through a descriptor, never through its name. */
async function openUnreadable(path: string): Promise<FileHandle> {
  const handle = await open(path, directoryFlags | pathOnly);
  try {
    await chmod(`/proc/self/fd/${handle.fd}`, 0o700);
    return await open(`/proc/self/fd/${handle.fd}/.`, directoryFlags);
  } finally {
    await handle.close();
  }
}

function hasDescriptorPaths(): boolean {
  return existsSync('/proc/self/fd');
}

async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<void>): Promise<void> {
  for (let at = 0; at < items.length; at += removalsAtOnce) {
    await Promise.all(items.slice(at, at + removalsAtOnce).map(work));
  }
}

function isMissing(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENOENT';
}

/** Somebody else was faster, with this name or inside this folder. */
function isRaced(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  return ['ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'ELOOP', 'EISDIR'].includes(code);
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
