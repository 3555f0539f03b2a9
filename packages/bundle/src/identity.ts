import type { BigIntStats } from 'node:fs';
import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { bundleLimits } from './limits.ts';
import { readPrivateFile } from './private-file.ts';

/** What the file system says of every file and folder of a stored bundle, by path; the bundle itself is ''. */
export type Identities = ReadonlyMap<string, string>;

/**
 * How much older than its record the newest change must be, in nanoseconds. Dates have the grain of the kernel's tick;
 * a change within the tick of the record would not show in them.
 */
const settledNs = 20_000_000n;

/** Everything that changes when a file is written, exchanged, linked, or given another mode or owner. */
function identityOf(stats: BigIntStats): string {
  const { dev, ino, size, mtimeNs, ctimeNs, mode, nlink } = stats;
  return [dev, ino, size, mtimeNs, ctimeNs, mode, nlink].join(' ');
}

/**
 * Reads the identities below a folder, `undefined` if it is not there or has too many entries. Synchronous: for the
 * dozen files of a usual plugin that is far below a millisecond, and a thread pool would only add to it.
 */
export function readIdentities(directory: string): Identities | undefined {
  const identities = new Map<string, string>();
  const waiting = [''];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const stats = lstatSync(join(directory, path), { bigint: true, throwIfNoEntry: false });
    if (stats === undefined || identities.size > bundleLimits.entries) return undefined;
    identities.set(path, identityOf(stats));
    if (!stats.isDirectory()) continue;
    for (const name of readdirSync(join(directory, path))) waiting.push(path === '' ? name : `${path}/${name}`);
  }
  return identities;
}

/** Whether the record in `file` is there, sound, older than nothing it describes, and equal to `now`. */
export function matchesRecord(file: string, now: Identities): boolean {
  const record = readRecord(file);
  const written = lstatSync(file, { bigint: true, throwIfNoEntry: false });
  if (record === undefined || written === undefined || record.size !== now.size) return false;
  for (const [path, identity] of now) {
    if (record.get(path) !== identity) return false;
    const changedNs = BigInt(identity.split(' ')[4] ?? '');
    if (written.mtimeNs - changedNs < settledNs) return false;
  }
  return true;
}

export async function writeRecord(file: string, identities: Identities): Promise<void> {
  const { default: writeFileAtomic } = await import('write-file-atomic');
  await writeFileAtomic(file, JSON.stringify({ schema: 'mmm.identity/1', entries: [...identities] }), { mode: 0o600 });
}

/** Checked by hand, because it is read at each launch; whatever is odd means no record, and the files are hashed. */
function readRecord(file: string): Identities | undefined {
  try {
    const bytes = readPrivateFile(file, 0o022);
    const value: unknown = bytes && JSON.parse(bytes.toString('utf8'));
    if (typeof value !== 'object' || value === null || !('schema' in value) || value.schema !== 'mmm.identity/1')
      return undefined;
    return 'entries' in value && Array.isArray(value.entries) ? new Map<string, string>(value.entries) : undefined;
  } catch {
    return undefined;
  }
}
