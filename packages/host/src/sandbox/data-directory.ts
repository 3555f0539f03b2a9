import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { MmmError } from '@mmm/protocol';

/**
 * Makes the plugin's writable folder for its launch uid, or checks the one that is there. Only the folder itself
 * changes its owner, only while it still belongs to a root host, and no link is followed: what a plugin put inside is
 * never touched by the host. Throws GRANT_UNUSABLE when the folder belongs to another uid, LAUNCH_FAILED when it is
 * not a folder.
 */
export async function prepareDataDirectory(plugin: string, directory: string, uid: number): Promise<void> {
  await mkdir(directory, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw notUsable(plugin, directory, error.message);
  });
  const folder = await openFolder(plugin, directory);
  try {
    const status = await folder.stat();
    if (status.uid === uid) return;
    // Made by a root host a moment ago, or by its wiring: not the plugin's yet. Only the folder itself is given away.
    const isOurs = status.uid === process.getuid?.() && process.getuid() === 0;
    if (isOurs) {
      await folder.chown(uid, uid);
      return;
    }
    const fix = `chown -R --no-dereference ${uid}:${uid} '${directory}'`;
    const owner = `its data folder ${directory} belongs to uid ${status.uid}`;
    const sentence = `Plugin "${plugin}" runs as uid ${uid}, but ${owner}.`;
    throw new MmmError('GRANT_UNUSABLE', `${sentence} To mend it: ${fix}`, { plugin, path: directory, uid, fix });
  } finally {
    await folder.close();
  }
}

async function openFolder(plugin: string, directory: string): Promise<FileHandle> {
  try {
    return await open(directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  } catch (error) {
    throw notUsable(plugin, directory, error instanceof Error ? error.message : String(error));
  }
}

function notUsable(plugin: string, directory: string, reason: string): MmmError {
  return new MmmError(
    'LAUNCH_FAILED',
    `Plugin "${plugin}" has no usable data folder at ${directory}: ${reason}. Move away what is there.`,
    { plugin, stage: 'sandbox', reason, stderrTail: '' },
  );
}
