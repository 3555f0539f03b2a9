import { normalize } from 'node:path';
import { MmmError } from '@mmm/protocol';

/** Where nothing of a plugin or of its grants is ever mounted: the kernel's own, and the helpers that start it. */
const reservedFolders = ['/.mmm', '/proc', '/dev', '/sys'];

/**
 * Refuses a mount point that is not one plain path. bubblewrap makes mounts while the host's files still lie beside the
 * new root, so that a path with `..` in it would choose a place on the host. Throws LAUNCH_FAILED.
 */
export function requireMountPoint(plugin: string, path: string): void {
  const isPlain = /^\/[^/\0][^\0]*$/.test(path) && !path.endsWith('/') && normalize(path) === path;
  const reserved = reservedFolders.find((folder) => path === folder || path.startsWith(`${folder}/`));
  if (isPlain && reserved === undefined) return;
  const why = reserved === undefined ? 'it is not a plain absolute path' : `nothing is mounted below ${reserved}`;
  throw refused(plugin, `${JSON.stringify(path)} cannot be shown to it, because ${why}`);
}

/** Options travel with NUL between them: a NUL within one would be the beginning of another. Throws LAUNCH_FAILED. */
export function requireWholeOptions(plugin: string, options: readonly string[]): void {
  const torn = options.find((option) => option.includes('\0'));
  if (torn !== undefined) throw refused(plugin, `${JSON.stringify(torn)} holds a NUL character`);
}

function refused(plugin: string, reason: string): MmmError {
  return new MmmError('LAUNCH_FAILED', `Plugin "${plugin}" cannot be started: ${reason}.`, {
    plugin,
    stage: 'sandbox',
    reason,
    stderrTail: '',
  });
}
