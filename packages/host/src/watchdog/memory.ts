import { hostLimits } from '../limits.ts';
import type { Resident } from './census.ts';
import type { ProcessTable } from './processes.ts';

/** Processes that are walked page by page in one look; what they share with the others, the others share with them. */
const walkedMax = 8;
/** Looks more closely again when the quick sum changed by this share of the limit. */
const changedShare = 1 / 16;
/** What has less than this of its limit is not asked for more than that. */
const smallShare = 1 / 8;

interface Walk {
  readonly quickBytes: number;
  readonly startedMs: number;
  /** The part of it that is the plugin's own; undefined until it is known. */
  part: number | undefined;
}

/**
 * How much memory a plugin really has. What is resident is known for every process at once, but counts the pages of
 * files, which the kernel takes back when it needs them, and what processes share once for each. Only a sum over the
 * limit is worth the closer look, and only again when it changed. It is taken aside: a process that forks keeps whoever
 * walks its pages waiting.
 */
export class MemoryMeasure {
  readonly #processes: ProcessTable;
  readonly #limitBytes: number;
  #walk: Walk | undefined;

  constructor(processes: ProcessTable, limitBytes: number) {
    this.#processes = processes;
    this.#limitBytes = limitBytes;
  }

  /** What is known now. While it is not known what is shared, a sum over the limit counts as the limit. */
  bytes(residents: readonly Resident[], nowMs: number): number {
    const quickBytes = residents.reduce((sum, { residentBytes }) => sum + residentBytes, 0);
    if (quickBytes <= this.#limitBytes) return quickBytes;
    const [largest] = largestFirst(residents);
    const ownBytes = largest === undefined ? 0 : this.#processes.unsharedBytes(largest.pid);
    // One process that is over the limit by itself shares with nobody who would make it less.
    if (ownBytes !== undefined && ownBytes > this.#limitBytes) return ownBytes;
    const walk = this.#walkFor(quickBytes, residents, nowMs);
    if (walk.part !== undefined) return quickBytes * walk.part;
    // Whoever can keep it from being known for ever must not have the use of that.
    return nowMs - walk.startedMs > hostLimits.memoryWalkMs ? quickBytes : this.#limitBytes;
  }

  /** What its largest process asked the kernel for, which the kernel refuses beyond the limit. */
  claimedBytes(residents: readonly Resident[]): number {
    const [largest] = largestFirst(residents);
    if (largest === undefined) return 0;
    const isSmall = largest.residentBytes < this.#limitBytes * smallShare;
    return isSmall ? largest.residentBytes : (this.#processes.dataBytes(largest.pid) ?? largest.residentBytes);
  }

  #walkFor(quickBytes: number, residents: readonly Resident[], nowMs: number): Walk {
    const before = this.#walk;
    if (before !== undefined) {
      const isCurrent = Math.abs(quickBytes - before.quickBytes) < this.#limitBytes * changedShare;
      if (before.part === undefined || isCurrent) return before;
    }
    const walk: Walk = { quickBytes, startedMs: nowMs, part: undefined };
    this.#walk = walk;
    void this.#ownPart(residents).then((part) => {
      walk.part = part;
    });
    return walk;
  }

  /** As the largest processes show: one after the other, so that no more than one reader is kept waiting. */
  async #ownPart(residents: readonly Resident[]): Promise<number> {
    let [wholeBytes, partBytes] = [0, 0];
    for (const { pid, residentBytes } of largestFirst(residents).slice(0, walkedMax)) {
      const own = (await this.#processes.proportionalBytes(pid)) ?? this.#processes.unsharedBytes(pid);
      wholeBytes += residentBytes;
      partBytes += own ?? residentBytes;
    }
    return wholeBytes === 0 ? 1 : Math.min(1, partBytes / wholeBytes);
  }
}

function largestFirst(residents: readonly Resident[]): readonly Resident[] {
  return [...residents].sort((a, b) => b.residentBytes - a.residentBytes);
}

interface MemoryLook {
  readonly atMs: number;
  readonly bytes: number;
}

/** What the largest process of a plugin asked the kernel for, and how fast that grows. */
export class MemoryGrowth {
  readonly #stepBytes: number;
  #before: MemoryLook | undefined;
  #last: MemoryLook | undefined;
  #peakBytes = 0;
  #grewAtMs = Number.NEGATIVE_INFINITY;

  /** Of less than a step from one look to the next nothing is made. */
  constructor(stepBytes: number) {
    this.#stepBytes = stepBytes;
  }

  add(look: MemoryLook): void {
    if (look.bytes - (this.#last?.bytes ?? 0) >= this.#stepBytes) this.#grewAtMs = look.atMs;
    this.#before = this.#last;
    this.#last = look;
    this.#peakBytes = Math.max(this.#peakBytes, look.bytes);
  }

  /** Whether it grew by a step just now: a collection of garbage makes a program pause that goes on growing. */
  get isGrowing(): boolean {
    return this.#last !== undefined && this.#last.atMs - this.#grewAtMs < hostLimits.watchFastMs;
  }

  /** The most there was until that time, if it grew on at the same pace; not foretold for long after the last look. */
  peakAt(nowMs: number): number {
    const [before, last] = [this.#before, this.#last];
    if (before === undefined || last === undefined || last.atMs <= before.atMs) return this.#peakBytes;
    const sinceMs = Math.min(nowMs - last.atMs, hostLimits.watchFastMs);
    const pace = Math.max(0, last.bytes - before.bytes) / (last.atMs - before.atMs);
    return Math.max(this.#peakBytes, last.bytes + pace * sinceMs);
  }
}
