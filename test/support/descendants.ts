import { type ProcessEntry, processTable, treeOf } from '../../packages/host/src/processes/process-table.ts';

/** Every process below `pid`, by number and time of start. Linux only. */
export function descendantsOf(pid: number): ProcessEntry[] {
  return treeOf(new Set([pid]), processTable()).filter((entry) => entry.pid !== pid);
}

/** Those of them that still run. One that ended and was not waited for does not. */
export function stillRunning(before: readonly ProcessEntry[]): ProcessEntry[] {
  const now = new Map(processTable().map((entry) => [entry.pid, entry]));
  return before.filter(({ pid, startedAt }) => {
    const entry = now.get(pid);
    return entry !== undefined && entry.startedAt === startedAt && !entry.hasEnded;
  });
}
