import { type Dirent, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isLeftOut } from '@mmm/bundle';

/** Files looked at; a folder with more is no plugin. */
const entriesMax = 10_000;

export interface SourceListing {
  /** Relative paths of the folders, the plugin folder itself as ''. */
  readonly folders: readonly string[];
  /** Relative path → what changes when the file does. */
  readonly files: ReadonlyMap<string, string>;
}

/** The sources of a plugin: everything but what is left out of it, and the folder `built` that a build writes. */
export function listSources(directory: string, built: string | null): SourceListing {
  const folders: string[] = [];
  const files = new Map<string, string>();
  const visit = (prefix: string): void => {
    folders.push(prefix.replace(/\/$/, ''));
    for (const entry of entriesOf(join(directory, prefix))) {
      const path = `${prefix}${entry.name}`;
      if (isLeftOut(entry.name) || path === built || folders.length + files.size > entriesMax) continue;
      if (entry.isDirectory()) visit(`${path}/`);
      else files.set(path, identityOf(join(directory, path)));
    }
  };
  visit('');
  return { folders, files };
}

/** The paths that were added, changed or removed between two listings. */
export function changedFiles(before: SourceListing, after: SourceListing): readonly string[] {
  const all = new Set([...before.files.keys(), ...after.files.keys()]);
  return [...all].filter((path) => before.files.get(path) !== after.files.get(path)).sort();
}

/** Folders come and go while they are listed. */
function entriesOf(folder: string): readonly Dirent[] {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return [];
  }
}

function identityOf(file: string): string {
  try {
    const { size, mtimeMs, ctimeMs, ino, mode } = statSync(file);
    return `${size} ${mtimeMs} ${ctimeMs} ${ino} ${mode}`;
  } catch {
    return 'gone';
  }
}
