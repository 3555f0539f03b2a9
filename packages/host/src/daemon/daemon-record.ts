import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { isRunning } from '../processes/process-records.ts';
import { processEntry } from '../processes/process-table.ts';
import { InstanceLock } from './instance-lock.ts';

const recordSchema = z.strictObject({ pid: z.int().min(2), startedAt: z.string() });

/**
 * Which process the daemon is, for the one case in which it cannot say so itself. It decides nothing: who has the home
 * is told by the lock alone.
 */
export function writeDaemonRecord(runFolder: string): void {
  const startedAt = processEntry(process.pid)?.startedAt;
  if (startedAt === undefined) return;
  writeFileSync(fileIn(runFolder), JSON.stringify({ pid: process.pid, startedAt }), { mode: 0o600 });
}

export function removeDaemonRecord(runFolder: string): void {
  rmSync(fileIn(runFolder), { force: true });
}

/** Kills the daemon of a home at once. False when it is not known which process that is. */
export function killDaemon(runFolder: string): boolean {
  if (!InstanceLock.isHeld(runFolder)) return false;
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
