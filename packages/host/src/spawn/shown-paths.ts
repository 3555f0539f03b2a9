import { type BigIntStats, closeSync, constants, fstatSync, openSync, readlinkSync, statSync } from 'node:fs';
import { MmmError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import type { ShownPath } from '../sandbox/mount.ts';

/** Opens nothing but the name: neither reads nor writes, and no device is woken by it. Node has no name for it. */
const pathOnly = 0o10000000;
/** Setting up a sandbox takes milliseconds; this is far beyond a busy machine. */
const setupMaxMs = 30_000;
const lookEveryMs = 2;

/** Descriptors of what a launch shows, for the child alone. */
export interface OpenedPaths {
  readonly numbers: ReadonlyMap<number, number>;
  close(): void;
}

/**
 * Opens what was judged, and refuses whatever lies there now but is not it. A path with a link on its way leads to
 * another name than its own, which the kernel tells. Throws GRANT_CHANGED; then nothing is open.
 */
export function openShown(shown: readonly ShownPath[], plugin: string): OpenedPaths {
  const numbers = new Map<number, number>();
  const close = (): void => {
    for (const opened of numbers.values()) closeSync(opened);
  };
  for (const one of shown) {
    const opened = openedAs(one);
    if (opened === undefined) {
      close();
      throw changed(plugin, one);
    }
    numbers.set(one.fd, opened);
  }
  return { numbers, close };
}

/** A descriptor of exactly what was judged; undefined for anything else. */
function openedAs(one: ShownPath): number | undefined {
  let opened: number;
  try {
    opened = openSync(one.path, pathOnly | constants.O_NOFOLLOW);
  } catch {
    return undefined;
  }
  const isItself = readlinkSync(`/proc/self/fd/${opened}`) === one.path;
  if (isItself && isSame(one, fstatSync(opened, { bigint: true }))) return opened;
  closeSync(opened);
  return undefined;
}

/**
 * For a bubblewrap that takes no descriptors: looks through the sandbox, which waits, at what was mounted. Throws
 * GRANT_CHANGED when it is not what was judged, LAUNCH_FAILED when that cannot be told.
 */
export async function verifyShown(
  shown: readonly ShownPath[],
  sandboxPid: number,
  plugin: string,
  clock: Clock,
): Promise<void> {
  const root = `/proc/${sandboxPid}/root`;
  const startedMs = clock.monotonic();
  // Until its root is the one it was given, this is the host's: nothing of the host is called so.
  while (statOf(`${root}/plugin`) === undefined || statOf(`${root}/oldroot`) !== undefined) {
    if (clock.monotonic() - startedMs > setupMaxMs) throw unseen(plugin);
    if (statOf(`/proc/${sandboxPid}`) === undefined) return;
    await clock.sleep(lookEveryMs);
  }
  for (const one of shown) {
    const mounted = statOf(`${root}${one.target}`);
    if (mounted === undefined || !isSame(one, mounted)) throw changed(plugin, one);
  }
}

function isSame({ device, inode }: ShownPath, status: BigIntStats): boolean {
  return String(status.dev) === device && String(status.ino) === inode;
}

function statOf(path: string): BigIntStats | undefined {
  try {
    return statSync(path, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
}

function changed(plugin: string, { grant, path }: ShownPath): MmmError {
  const sentence = `Plugin "${plugin}" was not started: ${path} was replaced while it started. Start it again.`;
  return new MmmError('GRANT_CHANGED', sentence, { plugin, grant, path });
}

function unseen(plugin: string): MmmError {
  const reason = 'what its sandbox mounted could not be looked at';
  return new MmmError('LAUNCH_FAILED', `Plugin "${plugin}" was not started: ${reason}. Start it again.`, {
    plugin,
    stage: 'spawn',
    reason,
    stderrTail: '',
  });
}
