import { readdirSync, readFileSync } from 'node:fs';

interface ProcessFacts {
  readonly pid: number;
  readonly parent: number;
  readonly state: string;
  /** In clock ticks since boot: a number used again has another one. */
  readonly startedAt: string;
}

/** Every process below `pid`, by number and time of start. Linux only. */
export function descendantsOf(pid: number): ProcessFacts[] {
  const all = processes();
  const found: ProcessFacts[] = [];
  let parents = new Set([pid]);
  while (parents.size > 0) {
    const children = all.filter(({ parent }) => parents.has(parent));
    found.push(...children);
    parents = new Set(children.map((child) => child.pid));
  }
  return found;
}

/** Those of them that still run. One that ended and was not waited for does not. */
export function stillRunning(before: readonly ProcessFacts[]): ProcessFacts[] {
  const now = new Map(processes().map((facts) => [facts.pid, facts]));
  return before.filter(({ pid, startedAt }) => {
    const facts = now.get(pid);
    return facts !== undefined && facts.startedAt === startedAt && facts.state !== 'Z' && facts.state !== 'X';
  });
}

function processes(): ProcessFacts[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        // The program's name stands in parentheses and may contain anything.
        const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
        return [{ pid: Number(name), state: fields[0] ?? '', parent: Number(fields[1]), startedAt: fields[19] ?? '' }];
      } catch {
        return [];
      }
    });
}
