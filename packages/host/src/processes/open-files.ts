import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * The other processes that have a file open, as far as they can be looked at: those of the same user, and all for root.
 * None where the system has no /proc.
 */
export function processesWithOpen(file: string): readonly number[] {
  const wanted = statSync(file, { throwIfNoEntry: false });
  if (wanted === undefined) return [];
  return entriesOf('/proc')
    .filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
    .filter((pid) => {
      const folder = join('/proc', pid, 'fd');
      return entriesOf(folder).some((descriptor) => {
        const open = statOf(join(folder, descriptor));
        return open?.ino === wanted.ino && open.dev === wanted.dev;
      });
    })
    .map(Number);
}

function entriesOf(folder: string): readonly string[] {
  try {
    return readdirSync(folder);
  } catch {
    // It has ended, or is somebody else's.
    return [];
  }
}

function statOf(path: string): { readonly ino: number; readonly dev: number } | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}
