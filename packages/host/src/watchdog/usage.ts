import { hostLimits } from '../limits.ts';

/** What a plugin's processes were seen to use. */
export interface PluginUsage {
  readonly memoryBytes: number;
  readonly memoryPeakBytes: number;
  /** Processor time since its start. */
  readonly cpuMs: number;
  /** Processor cores in use, on the average of the last `hostLimits.cpuWindowMs`. */
  readonly cores: number;
  /** Processes and threads, those of the sandbox included. */
  readonly tasks: number;
  /** Undefined until its data folder was measured. */
  readonly diskBytes?: number;
}

interface Look {
  readonly atMs: number;
  readonly cpuMs: number;
  readonly tasks: number;
}

/** What was seen of one life of a plugin, over the window in which averages are taken. Bounded by the pace of looks. */
export class UsageHistory {
  #looks: Look[] = [];
  /** Since when every look found it with as many tasks as it may have. */
  #atLimitSinceMs: number | undefined;

  add(look: Look, tasksMax: number): void {
    const from = look.atMs - hostLimits.cpuWindowMs;
    const first = this.#looks.findLastIndex(({ atMs }) => atMs <= from);
    // The last one before the window stays: the average is over no less than the window.
    this.#looks = [...this.#looks.slice(Math.max(0, first)), look];
    if (look.tasks < tasksMax) this.#atLimitSinceMs = undefined;
    else this.#atLimitSinceMs ??= look.atMs;
  }

  /** Cores in use over the last `ms`, or over what was seen of it. */
  cores(ms: number): number {
    const last = this.#looks.at(-1);
    const first = this.#from(ms);
    if (last === undefined || first === undefined || last.atMs <= first.atMs) return 0;
    return Math.max(0, last.cpuMs - first.cpuMs) / (last.atMs - first.atMs);
  }

  /** Whether looks reach back over the whole window. */
  get isWhole(): boolean {
    const last = this.#looks.at(-1);
    const first = this.#looks[0];
    return last !== undefined && first !== undefined && last.atMs - first.atMs >= hostLimits.cpuWindowMs;
  }

  /** How long it has had all its tasks. */
  get atLimitMs(): number {
    const last = this.#looks.at(-1);
    return last === undefined || this.#atLimitSinceMs === undefined ? 0 : last.atMs - this.#atLimitSinceMs;
  }

  /** By how many tasks it grew within the window. */
  get growth(): number {
    const last = this.#looks.at(-1);
    return last === undefined ? 0 : last.tasks - Math.min(...this.#looks.map(({ tasks }) => tasks));
  }

  #from(ms: number): Look | undefined {
    const from = (this.#looks.at(-1)?.atMs ?? 0) - ms;
    return this.#looks.findLast(({ atMs }) => atMs <= from) ?? this.#looks[0];
  }
}
