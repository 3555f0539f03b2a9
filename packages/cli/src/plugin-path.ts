import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { MmmError } from '@mmm/protocol';
import type { Io } from './io.ts';

/**
 * The absolute path that an argument names: what is spelt as one, and a folder that is there. Undefined for anything
 * else, which can only be the name of a plugin.
 */
export function pathIn(io: Io, text: string): string | undefined {
  const path = resolve(io.cwd, text);
  return isSpeltAsPath(text) || isFolder(path) ? path : undefined;
}

/** As `pathIn`. Throws USAGE when the argument names no folder. */
export function folderIn(io: Io, text: string): string {
  const path = pathIn(io, text);
  if (path !== undefined) return path;
  const place = resolve(io.cwd, text);
  const isThere = statSync(place, { throwIfNoEntry: false }) !== undefined;
  const reason = isThere
    ? `./${text} is a file. Name the folder that holds plugin.toml.`
    : `There is no folder "${text}" in ${io.cwd}. Name the folder that holds plugin.toml.`;
  throw new MmmError('USAGE', reason, { argument: text });
}

/** A name of a plugin never starts with "." and holds at most one "/". */
function isSpeltAsPath(text: string): boolean {
  return /^[./~]/.test(text) || text.split('/').length > 2 || text.endsWith('/') || text.includes('\\');
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
