import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hasEnded, statFields } from './stat-fields.ts';

/** One process as /proc shows it. */
export interface ProcessEntry {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  /** In clock ticks since boot. With the pid it names one process: a number that is used again has another one. */
  readonly startedAt: string;
  /** It has ended and only waits for its parent to notice. */
  readonly hasEnded: boolean;
}

/** The entry of one process; undefined when it is gone, or where there is no /proc. */
export function processEntry(pid: number): ProcessEntry | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return undefined;
  }
  return parseEntry(pid, stat);
}

/** Every process there is now; none where there is no /proc. */
export function processTable(): readonly ProcessEntry[] {
  let names: readonly string[];
  try {
    names = readdirSync('/proc');
  } catch {
    return [];
  }
  return names.flatMap((name) => (/^\d+$/.test(name) ? (processEntry(Number(name)) ?? []) : []));
}

/** Where numbers of processes mean something: one run of the kernel, and one namespace of it. */
export interface NumberSpace {
  readonly boot: string;
  readonly namespace: string;
}

/** Undefined where there is no /proc. */
export function numberSpace(): NumberSpace | undefined {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return { boot, namespace: readlinkSync('/proc/self/ns/pid') };
  } catch {
    return undefined;
  }
}

/** The processes with these numbers and everything below them, parents before children. */
export function treeOf(pids: ReadonlySet<number>, table: readonly ProcessEntry[]): readonly ProcessEntry[] {
  const children = new Map<number, ProcessEntry[]>();
  for (const entry of table) children.set(entry.parent, [...(children.get(entry.parent) ?? []), entry]);
  const tree = table.filter(({ pid }) => pids.has(pid));
  const seen = new Set(tree.map(({ pid }) => pid));
  for (const { pid } of tree) {
    for (const child of children.get(pid) ?? []) {
      if (seen.has(child.pid)) continue;
      seen.add(child.pid);
      tree.push(child);
    }
  }
  return tree;
}

/** Exported for its test. */
export function parseEntry(pid: number, stat: string): ProcessEntry | undefined {
  const field = statFields(stat);
  const [state, startedAt] = [field(3), field(22)];
  if (state === undefined || startedAt === undefined) return undefined;
  const [parent, group, session] = [Number(field(4)), Number(field(5)), Number(field(6))];
  return { pid, parent, group, session, startedAt, hasEnded: hasEnded(state) };
}
