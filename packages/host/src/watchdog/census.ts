import { hostLimits } from '../limits.ts';
import type { ProcessStat, ProcessTable } from './processes.ts';

/** One process of a plugin at one look. */
export interface Resident extends ProcessStat {
  readonly pid: number;
}

/** What belongs to one plugin. */
export interface Household {
  /** Its processes, those of the sandbox left out. */
  readonly pids: readonly number[];
  /** All its processes, when it was looked at closely. */
  readonly residents: readonly Resident[];
}

interface Known {
  readonly root: number;
  /** Steps below the first process. */
  readonly depth: number;
  readonly startedAt: number;
}

interface Counted {
  readonly helpers: number;
  readonly pids: number[];
  readonly residents: Resident[];
}

/**
 * Which processes belong to which plugin: all that descend from its first one. Inside a process namespace nothing
 * escapes that, since what loses its parent gets the namespace's first process as the new one; without one what stays
 * in the session counts too. One list of all processes serves every plugin, and a process is asked for its parent once.
 */
export class Census {
  readonly #processes: ProcessTable;
  readonly #known = new Map<number, Known>();
  #strangers = new Set<number>();
  #lastPid: number | undefined;
  #looks = 0;

  constructor(processes: ProcessTable) {
    this.#processes = processes;
  }

  /**
   * What descends now from these first processes, given with the number of the sandbox's own. Those in `closely` are
   * asked for everything, the others only listed. What is known of processes that are not given is forgotten.
   */
  take(roots: ReadonlyMap<number, number>, closely: ReadonlySet<number>): ReadonlyMap<number, Household> {
    const households = new Map<number, Counted>();
    for (const [root, helpers] of roots) households.set(root, { helpers, pids: [], residents: [] });
    if (closely.size === 0 && this.#isUnchanged(roots)) return this.#asKnown(households);
    this.#looks++;
    if (this.#looks % hostLimits.watchForgetLooks === 0) this.#strangers.clear();
    const strangers = new Set<number>();
    const seen = new Set<number>();
    const fresh: Resident[] = [];
    for (const pid of this.#processes.pids()) {
      if (this.#strangers.has(pid)) {
        strangers.add(pid);
        continue;
      }
      const known = this.#known.get(pid);
      const household = known && households.get(known.root);
      if (known !== undefined && household !== undefined && !closely.has(known.root)) {
        seen.add(pid);
        list(household, pid, known.depth);
        continue;
      }
      const stat = this.#processes.stat(pid);
      if (stat === undefined) continue;
      if (known === undefined || household === undefined || known.startedAt !== stat.startedAt) {
        fresh.push({ ...stat, pid });
        continue;
      }
      seen.add(pid);
      list(household, pid, known.depth);
      household.residents.push({ ...stat, pid });
    }
    for (const pid of this.#known.keys()) if (!seen.has(pid)) this.#known.delete(pid);
    this.#adopt(fresh, households);
    for (const { pid } of fresh) if (!this.#known.has(pid)) strangers.add(pid);
    this.#strangers = strangers;
    return households;
  }

  /** Whether no process was started since the last look, and nobody else is asked about. */
  #isUnchanged(roots: ReadonlyMap<number, number>): boolean {
    const lastPid = this.#processes.lastPid();
    const before = this.#lastPid;
    this.#lastPid = lastPid;
    if (lastPid === undefined || lastPid !== before) return false;
    return [...roots.keys()].every((root) => this.#known.has(root));
  }

  #asKnown(households: ReadonlyMap<number, Counted>): ReadonlyMap<number, Household> {
    for (const [pid, { root, depth }] of this.#known) {
      const household = households.get(root);
      if (household !== undefined) list(household, pid, depth);
    }
    return households;
  }

  /** Gives the new ones to the plugins of their parents, until no parent is found any more. */
  #adopt(fresh: readonly Resident[], households: Map<number, Counted>): void {
    let left = fresh;
    for (let before = -1; before !== left.length; ) {
      before = left.length;
      left = left.filter((resident) => {
        const { pid, startedAt } = resident;
        const { root, depth } = this.#placeOf(resident, households);
        const household = households.get(root);
        if (household === undefined) return true;
        this.#known.set(pid, { root, depth, startedAt });
        list(household, pid, depth);
        household.residents.push(resident);
        return false;
      });
    }
  }

  #placeOf({ pid, parent, session }: Resident, households: ReadonlyMap<number, Counted>) {
    if (households.has(pid)) return { root: pid, depth: 0 };
    const known = this.#known.get(parent);
    return known === undefined ? { root: session, depth: Infinity } : { root: known.root, depth: known.depth + 1 };
  }
}

function list(household: Counted, pid: number, depth: number): void {
  if (depth >= household.helpers) household.pids.push(pid);
}
