import { readFileSync, rmSync } from 'node:fs';
import {
  isRunning,
  type ProcessRecord,
  type ProcessRecords,
  type RecordedProcess,
} from '../processes/process-records.ts';
import { type ProcessEntry, processEntry, processTable, treeOf } from '../processes/process-table.ts';

/** A process may start another one between the list and its end; a plugin that forks without end is met this often. */
const passesMax = 10;

/** What was ended of one plugin. */
export interface Reaped {
  readonly plugin: string;
  readonly processes: number;
}

/**
 * Ends what hosts that were killed left behind, where no namespace did it for them: each process that was written down
 * and everything below it, and what left its family but can be known by its environment, which the host made. A number
 * alone kills nothing: a process is ended only while it has the time of start that it was found with. What another
 * host that lives has started is let alone. Costs a look into a folder where there is nothing to do.
 */
export function reapOrphans(records: ProcessRecords): readonly Reaped[] {
  const all = records.list();
  const isOrphaned = new Map(all.map(({ record }) => [record, !isRunning(record.host)]));
  const orphaned = all.filter(({ record }) => isOrphaned.get(record) === true);
  const others = all.filter(({ record }) => isOrphaned.get(record) === false).map(({ record }) => record);
  const ended = new Map<string, number>();
  for (const { file, record } of orphaned) {
    const processes = reap(record, others);
    rmSync(file, { force: true });
    if (processes > 0) ended.set(record.plugin, (ended.get(record.plugin) ?? 0) + processes);
  }
  return [...ended].map(([plugin, processes]) => ({ plugin, processes }));
}

/**
 * After the end of a plugin that sees the processes of the host: ends what it started and what left its group since,
 * where no namespace did it. Nothing when the same plugin runs once more: nobody then knows whose it is.
 */
export function reapAfterExit({ record, forget }: RecordedProcess, records: Pick<ProcessRecords, 'list'>): void {
  try {
    forget();
    if (record.home === null) return;
    const others = records.list().map((other) => other.record);
    reap(
      record,
      others.filter(({ process }) => isRunning(process)),
    );
  } catch {
    // The home was taken away: the exit of a plugin must not end its host.
  }
}

function reap(record: ProcessRecord, others: readonly ProcessRecord[]): number {
  const killed = new Set<string>();
  for (let pass = 0; pass < passesMax; pass += 1) {
    const found = leftBehind(record, others).filter((entry) => kill(entry));
    if (found.length === 0) break;
    for (const { pid, startedAt } of found) killed.add(`${pid} ${startedAt}`);
  }
  return killed.size;
}

/** Parents before children, so that nobody is there to start one again. */
function leftBehind(record: ProcessRecord, others: readonly ProcessRecord[]): readonly ProcessEntry[] {
  const table = processTable().filter(({ hasEnded }) => !hasEnded);
  const kept = new Set(treeOf(new Set(others.map(({ process: { pid } }) => pid)), table).map(({ pid }) => pid));
  const { pid, startedAt } = record.process;
  const first = table.filter((entry) => entry.pid === pid && entry.startedAt === startedAt);
  const family = treeOf(new Set(first.map((entry) => entry.pid)), table);
  const group = first.length === 0 ? [] : table.filter((entry) => entry.group === pid || entry.session === pid);
  // Two hosts of one home may run the same plugin: of a process without a family nobody then knows whose it is.
  const isShared = others.some(({ home }) => home === record.home);
  const marked = isShared ? [] : table.filter((entry) => isMarked(entry, record));
  const found = [...family, ...group, ...marked].filter((entry) => !kept.has(entry.pid) && entry.pid !== process.pid);
  return [...new Map(found.map((entry) => [entry.pid, entry])).values()];
}

/** The environment was given by the host at the start and is inherited; only that of a process of ours has both. */
function isMarked(entry: ProcessEntry, { plugin, home, process: { startedAt } }: ProcessRecord): boolean {
  if (home === null || Number(entry.startedAt) < Number(startedAt)) return false;
  try {
    const environment = readFileSync(`/proc/${entry.pid}/environ`, 'utf8').split('\0');
    return environment.includes(`MMM_PLUGIN=${plugin}`) && environment.includes(`HOME=${home}`);
  } catch {
    // Gone, or another user's and then not ours.
    return false;
  }
}

/** False when it is gone. Looked at once more, right before: its number may be another's by now. */
function kill({ pid, startedAt }: ProcessEntry): boolean {
  const now = processEntry(pid);
  if (now === undefined || now.startedAt !== startedAt || now.hasEnded) return false;
  try {
    process.kill(pid, 'SIGKILL');
    return true;
  } catch {
    return false;
  }
}
