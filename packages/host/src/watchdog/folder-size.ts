import { lstat, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { hostLimits } from '../limits.ts';

/** What a folder takes on its disk; or why that cannot be told. */
export type FolderSize =
  | { readonly bytes: number; readonly entries: number }
  | { readonly unmeasurable: 'deep' | 'many' };

/**
 * Blocks of all files and folders below one, without following links. A file with several names counts once. What the
 * plugin moves or deletes meanwhile may be missed; what cannot be read is left out. Never rejects.
 */
export async function folderSize(folder: string): Promise<FolderSize> {
  const waiting = [folder];
  const linked = new Set<string>();
  let bytes = 0;
  let entries = 0;
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    try {
      for await (const entry of await opendir(next)) {
        entries++;
        if (entries > hostLimits.dataFiles) return { unmeasurable: 'many' };
        const path = join(next, entry.name);
        const stat = await lstat(path).catch(orMissing);
        if (stat === undefined) continue;
        const name = `${stat.dev} ${stat.ino}`;
        if (stat.nlink > 1 && !stat.isDirectory() && linked.has(name)) continue;
        if (stat.nlink > 1 && !stat.isDirectory()) linked.add(name);
        bytes += stat.blocks * 512;
        if (stat.isDirectory()) waiting.push(path);
      }
    } catch (error) {
      if (isTooDeep(error)) return { unmeasurable: 'deep' };
    }
  }
  return { bytes, entries };
}

/** Paths have an end and folders have not: what lies deeper can be made step by step, and cannot be named. */
function isTooDeep(error: unknown): boolean {
  return (error as NodeJS.ErrnoException).code === 'ENAMETOOLONG';
}

function orMissing(error: unknown): undefined {
  if (isTooDeep(error)) throw error;
  return undefined;
}
