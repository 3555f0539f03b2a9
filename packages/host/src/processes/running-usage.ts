import { systemProcesses } from '../watchdog/processes.ts';
import { isRunning, type ProcessRecords } from './process-records.ts';
import { processTable, treeOf } from './process-table.ts';

/** What runs of one plugin, whichever process of this home started it. */
export interface RunningUsage {
  /** The first process of each. */
  readonly pids: readonly number[];
  /** Resident, of all processes below those. */
  readonly memoryBytes: number;
  /** Processor time of those processes since they started. */
  readonly cpuMs: number;
}

/** One look at everything that runs, by plugin. Empty where the machine does not tell. */
export function runningUsage(records: ProcessRecords): ReadonlyMap<string, RunningUsage> {
  const usage = new Map<string, RunningUsage>();
  const running = records.list().filter(({ record }) => isRunning(record.process));
  if (running.length === 0) return usage;
  const [table, processes] = [processTable(), systemProcesses()];
  for (const { record } of running) {
    const { pids, ...before } = usage.get(record.plugin) ?? { pids: [], memoryBytes: 0, cpuMs: 0 };
    let { memoryBytes, cpuMs } = before;
    for (const { pid } of treeOf(new Set([record.process.pid]), table)) {
      const stat = processes.stat(pid);
      memoryBytes += stat?.residentBytes ?? 0;
      cpuMs += stat?.cpuMs ?? 0;
    }
    usage.set(record.plugin, { pids: [...pids, record.process.pid], memoryBytes, cpuMs });
  }
  return usage;
}
