import type { BigIntStats } from 'node:fs';
import { lstatSync, readdirSync } from 'node:fs';
import { bundleLimits } from './limits.ts';
import { readPrivateFile } from './private-file.ts';

/** What the file system says of a stored bundle. */
export interface Identities {
  /** Of every file and folder, by path; the bundle itself is ''. */
  readonly entries: ReadonlyMap<string, string>;
  /** When the last of them was changed, in nanoseconds. */
  readonly newestNs: bigint;
}

/**
 * How much older than its record the newest change must be, in nanoseconds. Dates have the grain of the kernel's tick;
 * a change within the tick of the record would not show in them.
 */
const settledNs = 20_000_000n;

/** Everything that changes when a file is written, exchanged, linked, or given another mode or owner. */
function identityOf(stats: BigIntStats): string {
  const { dev, ino, size, mtimeNs, ctimeNs, mode, nlink } = stats;
  return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs} ${mode} ${nlink}`;
}

export function sameIdentities(a: Identities, b: Identities): boolean {
  return sameEntries(a.entries, b.entries);
}

function sameEntries(a: Identities['entries'], b: Identities['entries']): boolean {
  if (a.size !== b.size) return false;
  for (const [path, identity] of a) if (b.get(path) !== identity) return false;
  return true;
}

/**
 * Reads the identities below a folder, `undefined` if it is not there or has too many entries. Synchronous: for the
 * dozen files of a usual plugin that is far below a millisecond, and a thread pool would only add to it.
 */
export function readIdentities(directory: string): Identities | undefined {
  const entries = new Map<string, string>();
  let newestNs = 0n;
  const waiting = [''];
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const whole = path === '' ? directory : `${directory}/${path}`;
    const stats = lstatSync(whole, { bigint: true, throwIfNoEntry: false });
    if (stats === undefined || entries.size > bundleLimits.entries) return undefined;
    entries.set(path, identityOf(stats));
    if (stats.ctimeNs > newestNs) newestNs = stats.ctimeNs;
    if (!stats.isDirectory()) continue;
    for (const name of readdirSync(whole)) waiting.push(path === '' ? name : `${path}/${name}`);
  }
  return { entries, newestNs };
}

/** Whether the record in `file` is there, sound, older than nothing it describes, and equal to `now`. */
export function matchesRecord(file: string, now: Identities): boolean {
  const record = readRecord(file);
  const written = lstatSync(file, { bigint: true, throwIfNoEntry: false });
  if (record === undefined || written === undefined || !sameEntries(now.entries, record)) return false;
  return written.mtimeNs - now.newestNs >= settledNs;
}

export async function writeRecord(file: string, identities: Identities): Promise<void> {
  const { default: writeFileAtomic } = await import('write-file-atomic');
  await writeFileAtomic(file, JSON.stringify({ schema: 'mmm.identity/1', entries: [...identities.entries] }), {
    mode: 0o600,
  });
}

/** Checked by hand, because it is read at each launch; whatever is odd means no record, and the files are hashed. */
function readRecord(file: string): Identities['entries'] | undefined {
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
