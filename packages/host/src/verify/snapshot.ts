import { chmod, copyFile, lstat, mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { bundleLimits, createStaging, discardStaging, indexFolder, isLeftOut, removeLeftovers } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import { safeText } from '../display/safe-text.ts';

/** What a development folder held at one moment: later saves do not reach what runs from it. */
export interface Snapshot {
  /** Absolute path, read-only, below `$MMM_HOME/development`. */
  readonly directory: string;
  /** sha256 of the index that these files would be signed with. */
  readonly bundleSha256: string;
}

/**
 * Copies a plugin folder into a new folder below `parent`. Throws BUNDLE_INVALID for what no bundle may hold (a link, a
 * device, too many files), so that an author learns of it before signing. Runs nothing.
 */
export async function takeSnapshot(
  source: string,
  identity: Parameters<typeof indexFolder>[1],
  parent: string,
): Promise<Snapshot> {
  await mkdir(parent, { recursive: true, mode: 0o700 });
  await removeLeftovers(parent);
  const directory = await createStaging(parent);
  try {
    await copyFolder(source, '', directory, { source, files: 0, bytes: 0 });
    const { sha256 } = await indexFolder(directory, identity);
    return { directory, bundleSha256: sha256 };
  } catch (error) {
    await discardStaging(directory);
    throw error;
  }
}

/** Removes a snapshot that nothing runs from any more. */
export async function discardSnapshot(snapshot: Snapshot): Promise<void> {
  await discardStaging(snapshot.directory);
}

interface Copied {
  readonly source: string;
  files: number;
  bytes: number;
}

async function copyFolder(from: string, prefix: string, to: string, copied: Copied): Promise<void> {
  for (const entry of await readdir(from, { withFileTypes: true })) {
    if (isLeftOut(entry.name)) continue;
    const [path, target] = [join(from, entry.name), join(to, entry.name)];
    const name = `${prefix}${entry.name}`;
    if (entry.isDirectory()) {
      await mkdir(target, { mode: 0o700 });
      await copyFolder(path, `${name}/`, target, copied);
      continue;
    }
    if (!entry.isFile()) {
      const what = entry.isSymbolicLink() ? 'a link' : 'no regular file';
      throw refused(copied.source, name, `is ${what}; a plugin holds only regular files. Replace or remove it`);
    }
    const { size, mode } = await lstat(path);
    copied.files += 1;
    copied.bytes += size;
    if (copied.files > bundleLimits.files)
      throw refused(copied.source, name, `is one more than ${bundleLimits.files} files`);
    if (copied.bytes > bundleLimits.totalBytes) {
      throw refused(copied.source, name, `brings the files above ${bundleLimits.totalBytes} bytes`);
    }
    await copyFile(path, target);
    await chmod(target, (mode & 0o111) === 0 ? 0o444 : 0o555);
  }
  // Whatever the author's folder was: the plugin's uid has to read this one.
  await chmod(to, 0o555);
}

function refused(directory: string, file: string, reason: string): MmmError<'BUNDLE_INVALID'> {
  const place = join(safeText(directory, 4096), safeText(file, 400));
  return new MmmError('BUNDLE_INVALID', `${place} ${reason}.`, { directory, file, reason });
}
