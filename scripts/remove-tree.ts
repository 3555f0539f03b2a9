import { chmodSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** Removes a folder although folders in it may not be writable: those of a store never are. Follows no link. */
export function removeTree(directory: string): void {
  openFolders(directory);
  rmSync(directory, { recursive: true, force: true });
}

function openFolders(directory: string): void {
  try {
    chmodSync(directory, 0o700);
    for (const entry of readdirSync(directory, { withFileTypes: true })) {
      if (entry.isDirectory()) openFolders(join(directory, entry.name));
    }
  } catch {
    // Gone, or not ours: the removal says what it cannot do.
  }
}
