import { randomBytes } from 'node:crypto';
import { renameSync } from 'node:fs';
import { mkdir, open, readdir, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { isAlive } from './file-lock.ts';
import { removeTree } from './remove-tree.ts';

const pattern = /^\.staging-(\d+)-[0-9a-f]{16}$/;
/** The staging folders in use in this process. */
const inUse = new Set<string>();

/** Makes a folder beside its future place, so that moving it there is one step. */
export async function createStaging(parent: string): Promise<string> {
  const path = stagingPath(parent);
  inUse.add(path);
  await mkdir(path, { mode: 0o700 });
  return path;
}

/** Removes a staging folder, or nothing if it was moved to its place. Throws what could not be removed, and why. */
export async function discardStaging(path: string): Promise<void> {
  try {
    const remains = await removeTree(path);
    if (remains !== undefined) throw new Error(`${join(path, remains.path)} could not be removed: ${remains.reason}`);
  } finally {
    inUse.delete(path);
  }
}

/** Takes a folder out of sight in one step, then removes it. A folder that is not there is no error. */
export async function removeAtomically(parent: string, path: string): Promise<void> {
  const aside = stagingPath(parent);
  inUse.add(aside);
  try {
    await rename(path, aside);
  } catch (error) {
    inUse.delete(aside);
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
    throw error;
  }
  await discardStaging(aside);
}

/**
 * The same in two steps: it is out of sight when this returns, and off the disk when what it returns has resolved. For
 * work under a lock that nothing may wait within.
 */
export function moveAside(parent: string, path: string): () => Promise<void> {
  const aside = stagingPath(parent);
  inUse.add(aside);
  try {
    renameSync(path, aside);
  } catch (error) {
    inUse.delete(aside);
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return () => Promise.resolve();
    throw error;
  }
  return () => discardStaging(aside);
}

/** Removes what processes that died left behind. */
export async function removeLeftovers(parent: string): Promise<void> {
  for (const name of await readdir(parent)) {
    const pid = Number(pattern.exec(name)?.[1] ?? Number.NaN);
    const path = join(parent, name);
    // Our own number on a folder we do not use: an earlier process had it, which is the rule in containers.
    const used = pid === process.pid ? inUse.has(path) : isAlive(pid);
    if (Number.isNaN(pid) || used) continue;
    await removeTree(path);
  }
}

/** Writes a file's or folder's content to the disk. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function stagingPath(parent: string): string {
  return join(parent, `.staging-${process.pid}-${randomBytes(8).toString('hex')}`);
}
