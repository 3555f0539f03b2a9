import { randomBytes } from 'node:crypto';
import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';

/** How often a held lock is tried again, and the pause between: five seconds, where a holder needs milliseconds. */
const attempts = 2500;
const pauseMs = 2;

/**
 * Runs `run` while no other process runs under the same lock file. `run` is synchronous, so calls of one process
 * never meet. The lock of a process that died is taken over. `undefined` if a living process keeps it.
 */
export function withFileLock<T>(lockFile: string, run: () => T): { readonly value: T } | undefined {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  for (let attempt = 0; attempt < attempts; attempt += 1) {
    if (take(lockFile)) {
      try {
        return { value: run() };
      } finally {
        rmSync(lockFile, { force: true });
      }
    }
    // Blocks the thread on purpose: yielding would let another call of this process in between.
    if (!removeIfStale(lockFile)) Atomics.wait(pause, 0, 0, pauseMs);
  }
  return undefined;
}

/** Whether a process of this number runs, be it ours or another user's. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) !== 'ESRCH';
  }
}

/** The lock appears with its holder's number inside, so that a crash never leaves one that names nobody. */
function take(lockFile: string): boolean {
  const own = besides(lockFile);
  writeFileSync(own, String(process.pid), { flag: 'wx', mode: 0o600 });
  try {
    linkSync(own, lockFile);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(own, { force: true });
  }
}

/** Whether it is worth trying again at once. */
function removeIfStale(lockFile: string): boolean {
  try {
    const held = readFileSync(lockFile, 'latin1');
    if (!isStale(held)) return false;
    const aside = besides(lockFile);
    renameSync(lockFile, aside);
    // Another process may have taken over between the look and the move: what was moved is then its living lock.
    if (readFileSync(aside, 'latin1') !== held) linkSync(aside, lockFile);
    rmSync(aside, { force: true });
    return true;
  } catch (error) {
    return codeOf(error) === 'ENOENT';
  }
}

/** Our own number means an earlier process that had it: within this one nobody else can hold the lock. */
function isStale(held: string): boolean {
  const holder = Number.parseInt(held, 10);
  return holder === process.pid || !isAlive(holder);
}

function besides(file: string): string {
  return `${file}.${randomBytes(6).toString('hex')}`;
}

function codeOf(error: unknown): string | undefined {
  return (error as NodeJS.ErrnoException).code;
}
