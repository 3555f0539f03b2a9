import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';

/** The first folder on the way to `folder`, itself included, that a uid without groups cannot enter; undefined if none. */
export async function searchableBy(uid: number, folder: string): Promise<string | undefined> {
  const above = dirname(folder);
  const blocked = above === folder ? undefined : await searchableBy(uid, above);
  if (blocked !== undefined) return blocked;
  const status = await stat(folder);
  const shift = status.uid === uid ? 6 : status.gid === uid ? 3 : 0;
  return ((status.mode >> shift) & 0o1) === 0o1 ? undefined : folder;
}
