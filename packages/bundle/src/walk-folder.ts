import type { BigIntStats } from 'node:fs';
import { closeSync, fstatSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { MmmError } from '@mmm/protocol';
import { invalidBundle } from './bundle-errors.ts';
import { Folder, isPlainFile } from './folder.ts';
import { bundleLimits } from './limits.ts';
import { checkPath } from './path-rules.ts';

/** A file met on a walk: open, checked to be a plain file, and closed after the visit. */
export interface FoundFile {
  readonly path: string;
  /** In bytes, of the open file. */
  readonly size: number;
  /** The permission bits. */
  readonly mode: number;
  readonly descriptor: number;
}

export interface Walk {
  /** The folder as the caller named it, for errors. */
  readonly directory: string;
  /** The error to throw for an entry that may not be in a bundle. `reason` fits after its name. */
  refuse(file: string, kind: 'not_a_file' | 'bad_path', reason: string): MmmError;
  visitFile(file: FoundFile): Promise<void>;
  visitFolder?(path: string, mode: number): void;
  /** Whether an entry is passed over, with all that is below it. Never asked about `.mmm/` itself. */
  leavesOut?(path: string, name: string): boolean;
}

/** Entries between two turns for others: a few milliseconds. */
const yieldEach = 64;
const metadataNames: ReadonlySet<string> = new Set(['index.json', 'signatures.json']);

/**
 * Visits every file of a plugin folder, except `.mmm/`, of which it checks that it holds nothing but the index and the
 * signatures. Follows no link, opens nothing but regular files, and stops at the first entry that may not be there.
 */
export async function walkFolder(walk: Walk): Promise<void> {
  const root = openRoot(walk.directory);
  try {
    await walkInto(root, '', walk, { entries: 0 });
  } finally {
    root.close();
  }
}

/** Opens a plugin folder, or throws BUNDLE_INVALID. */
export function openRoot(directory: string): Folder {
  try {
    return Folder.open(directory);
  } catch (error) {
    throw invalidBundle(directory, '.', `cannot be opened as a folder (${errorCode(error)})`, error);
  }
}

export function errorCode(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return typeof code === 'string' ? code : 'unknown error';
}

async function walkInto(folder: Folder, prefix: string, walk: Walk, count: { entries: number }): Promise<void> {
  walk.visitFolder?.(prefix.slice(0, -1), permissionBits(folder.ownStat()));
  const names = folder.names(bundleLimits.entries - count.entries + 1);
  count.entries += names.length;
  if (count.entries > bundleLimits.entries) {
    throw invalidBundle(
      walk.directory,
      prefix === '' ? '.' : prefix,
      `brings it above ${bundleLimits.entries} entries`,
    );
  }
  for (const [at, name] of names.entries()) {
    const path = `${prefix}${name}`;
    // Looking at small files never waits, so a large folder has to let others have their turn.
    if (at % yieldEach === yieldEach - 1) await stat(walk.directory).catch(() => undefined);
    if (path === '.mmm') {
      walkMetadata(folder, walk);
      continue;
    }
    if (walk.leavesOut?.(path, name) === true) continue;
    const problem = checkPath(path);
    if (problem !== undefined)
      throw walk.refuse(path, 'bad_path', `has a path that bundles may not have: it ${problem}`);
    await visitEntry(folder, name, path, walk, count);
  }
}

async function visitEntry(
  folder: Folder,
  name: string,
  path: string,
  walk: Walk,
  count: { entries: number },
): Promise<void> {
  const stats = attempt(walk, path, () => folder.stat(name));
  if (stats.isDirectory()) {
    const inner = attempt(walk, path, () => folder.folder(name));
    try {
      await walkInto(inner, `${path}/`, walk, count);
    } finally {
      inner.close();
    }
    return;
  }
  const file = openPlainFile(folder, name, path, stats, walk);
  try {
    await walk.visitFile({
      path,
      size: Number(file.stats.size),
      mode: permissionBits(file.stats),
      descriptor: file.descriptor,
    });
  } finally {
    closeSync(file.descriptor);
  }
}

/** Opens what was looked at before, and makes sure that it is still that: opening a device may do something. */
function openPlainFile(
  folder: Folder,
  name: string,
  path: string,
  seen: BigIntStats,
  walk: Walk,
): { descriptor: number; stats: BigIntStats } {
  if (!isPlainFile(seen)) throw walk.refuse(path, 'not_a_file', describeEntry(seen));
  const descriptor = attempt(walk, path, () => folder.file(name));
  try {
    const stats = fstatSync(descriptor, { bigint: true });
    if (!isPlainFile(stats) || stats.ino !== seen.ino || stats.dev !== seen.dev) {
      throw walk.refuse(path, 'not_a_file', 'was exchanged while it was read');
    }
    return { descriptor, stats };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function walkMetadata(root: Folder, walk: Walk): void {
  const folder = attempt(walk, '.mmm', () => root.folder('.mmm'));
  try {
    for (const name of folder.names(metadataNames.size + 1)) {
      const path = `.mmm/${name}`;
      if (!metadataNames.has(name)) {
        throw walk.refuse(path, 'bad_path', 'is in .mmm, which holds nothing but the index and the signatures');
      }
      const stats = attempt(walk, path, () => folder.stat(name));
      if (!isPlainFile(stats)) throw walk.refuse(path, 'not_a_file', describeEntry(stats));
    }
  } finally {
    folder.close();
  }
}

function attempt<T>(walk: Walk, path: string, action: () => T): T {
  try {
    return action();
  } catch (error) {
    const code = errorCode(error);
    // What was a file or folder a moment ago has become a link, a socket or something else.
    if (code === 'ELOOP' || code === 'ENOTDIR' || code === 'ENXIO') {
      throw walk.refuse(path, 'not_a_file', 'is a link or was exchanged while it was read');
    }
    throw invalidBundle(walk.directory, path, `cannot be read (${code})`, error);
  }
}

function permissionBits(stats: BigIntStats): number {
  return Number(stats.mode & 0o7777n);
}

function describeEntry(stats: BigIntStats): string {
  if (stats.isSymbolicLink()) return 'is a symbolic link';
  if (stats.isFile()) return 'has a second name (a hard link), through which it could be changed';
  if (stats.isFIFO()) return 'is a pipe';
  if (stats.isSocket()) return 'is a socket';
  if (stats.isDirectory()) return 'is a folder where a file should be';
  return 'is a device';
}
