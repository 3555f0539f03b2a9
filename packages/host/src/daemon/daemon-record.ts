import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { isRunning } from '../processes/process-records.ts';
import { processEntry } from '../processes/process-table.ts';
import { FileLock } from '../store/file-lock.ts';

const lockName = 'daemon.lock';
const recordSchema = z.strictObject({ pid: z.int().min(2), startedAt: z.string() });

/** Held by the one daemon of a home for as long as it lives. Undefined when another process has it. Never waits. */
export function takeDaemonLock(runFolder: string): FileLock | undefined {
  return FileLock.take(join(runFolder, lockName));
}

/** Whether a daemon of this home lives, be it ready or not. */
export function hasDaemon(runFolder: string): boolean {
  return FileLock.isHeld(join(runFolder, lockName));
}

/**
 * Which process the daemon is, for the one case in which it cannot say so itself. It decides nothing: who has the home
 * is told by the lock alone. One that cannot be written costs no start.
 */
export function writeDaemonRecord(runFolder: string): void {
  const startedAt = processEntry(process.pid)?.startedAt;
  if (startedAt === undefined) return;
  try {
    writeFileSync(fileIn(runFolder), JSON.stringify({ pid: process.pid, startedAt }), { mode: 0o600 });
  } catch {
    // A full disk: whoever stops the daemon asks itself first.
  }
}

export function removeDaemonRecord(runFolder: string): void {
  rmSync(fileIn(runFolder), { force: true });
}

/** Kills the daemon of a home at once. False when it is not known which process that is. */
export function killDaemon(runFolder: string): boolean {
  if (!hasDaemon(runFolder)) return false;
  try {
    const record = recordSchema.parse(JSON.parse(readFileSync(fileIn(runFolder), 'utf8')));
    // The same number may be another process by now.
    return isRunning(record) && process.kill(record.pid, 'SIGKILL');
  } catch {
    return false;
  }
}

function fileIn(runFolder: string): string {
  return join(runFolder, 'daemon.json');
}
