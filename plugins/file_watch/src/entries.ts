import { createHash } from 'node:crypto';
import type { BigIntStats } from 'node:fs';
import { lstat, readdir } from 'node:fs/promises';
import { join } from 'node:path';

/** What is known of one file; links are files, and are not followed. */
export interface FileEntry {
  readonly size: string;
  /** Nanoseconds since 1970, as text: too large for a number. */
  readonly modified: string;
  /** Tells a file from one that was put in its place, and each change of it from the next. */
  readonly identity: string;
}

/** What lies in one folder. */
export interface Listing {
  readonly files: ReadonlyMap<string, FileEntry>;
  /** With what tells each from another that was made in its place. */
  readonly folders: ReadonlyMap<string, string>;
}

export const emptyListing: Listing = { files: new Map(), folders: new Map() };

/** Files that are looked at together: enough to keep the disk busy, few enough for a limit on open files. */
const together = 64;

/** Empty for a folder that is not there, or that may not be read. What vanishes meanwhile is left out. */
export async function list(folder: string, isWanted: (name: string, isFolder: boolean) => boolean): Promise<Listing> {
  const files = new Map<string, FileEntry>();
  const folders = new Map<string, string>();
  const found = await readdir(folder, { withFileTypes: true }).catch(() => []);
  const names: string[] = [];
  for (const entry of found) if (isWanted(entry.name, entry.isDirectory())) names.push(entry.name);
  for (let at = 0; at < names.length; at += together) {
    const some = names.slice(at, at + together);
    const stats = await Promise.all(some.map((name) => lstat(join(folder, name), { bigint: true }).catch(() => null)));
    some.forEach((name, index) => {
      const stat = stats[index];
      if (stat == null) return;
      if (!stat.isDirectory()) files.set(name, entryOf(stat));
      else if (isWanted(name, true)) folders.set(name, String(stat.ino));
    });
  }
  return { files, folders };
}

function entryOf({ size, mtimeNs, ctimeNs, ino }: BigIntStats): FileEntry {
  return { size: String(size), modified: String(mtimeNs), identity: `${ino} ${ctimeNs}` };
}

/** Whether its content may be another: a change of its mode alone is none. */
export function isChanged(before: FileEntry, now: FileEntry): boolean {
  return before.size !== now.size || before.modified !== now.modified || inode(before) !== inode(now);
}

function inode({ identity }: FileEntry): string {
  return identity.split(' ', 1)[0] ?? '';
}

export type ChangeKind = 'created' | 'changed' | 'deleted';

export interface Change {
  readonly kind: ChangeKind;
  /** Below the watched folder. */
  readonly path: string;
  /** As it is now; as it was for one that is deleted. */
  readonly entry: FileEntry;
}

/** The same whenever the same change is found again, after a crash for instance. */
export function changeId({ kind, path, entry }: Change): string {
  const { size, modified, identity } = entry;
  const parts = [kind, path, size, modified, identity].join('\0');
  return createHash('sha256').update(parts).digest('hex').slice(0, 32);
}
