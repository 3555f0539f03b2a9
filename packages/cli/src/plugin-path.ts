import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import { MmmError } from '@mmm/protocol';
import type { Io } from './io.ts';

/**
 * The absolute path that an argument names: what is spelt as one or as an archive, and a folder that is there.
 * Undefined for anything else, which can only be the name of a plugin.
 */
export function pathIn(io: Io, text: string): string | undefined {
  const path = resolve(io.cwd, text);
  return isSpeltAsPath(text) || isFolder(path) ? path : undefined;
}

/** As `pathIn`. Throws USAGE when the argument names no folder. */
export function folderIn(io: Io, text: string): string {
  const path = pathIn(io, text);
  if (path !== undefined) return path;
  throw noPath(io, text, 'Name the folder that holds plugin.toml.');
}

/** As `pathIn`. Throws USAGE when the argument names neither a folder nor an archive. */
export function sourceIn(io: Io, text: string): string {
  const path = pathIn(io, text);
  if (path !== undefined) return path;
  throw noPath(io, text, 'Name the folder that holds plugin.toml, or a .mmmp archive.');
}

function noPath(io: Io, text: string, next: string): MmmError<'USAGE'> {
  const isThere = statSync(resolve(io.cwd, text), { throwIfNoEntry: false }) !== undefined;
  const reason = isThere ? `./${text} is a file.` : `There is no folder "${text}" in ${io.cwd}.`;
  return new MmmError('USAGE', `${reason} ${next}`, { argument: text });
}

/** A name of a plugin never starts with "." and holds at most one "/", and no other ".". */
function isSpeltAsPath(text: string): boolean {
  return /^[./~]|\.mmmp$/.test(text) || text.split('/').length > 2 || text.endsWith('/') || text.includes('\\');
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
}
