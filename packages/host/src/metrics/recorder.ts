import type { Clock, Timer } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import type { CallRecord, ExitRecord, PluginStatistics, StatisticsDelta, StatisticsStore } from '../store/store.ts';
import { bucketOf, latencyBoundsMs } from './histogram.ts';

/** What was recorded since the last flush; mutable, so that a call costs no allocation. */
interface Pending {
  executions: number;
  failures: number;
  lastAtMs: number | null;
  totalMs: number;
  maxMs: number;
  readonly buckets: number[];
  loads: number;
  lastLoadMs: number | null;
  readonly exits: Record<string, number>;
  lastExits: ExitRecord[];
}

/**
 * Counts in memory and writes to the store at most `hostLimits.metricsFlushMs` later. No timer runs while nothing
 * happens. Nothing throws into callers: when the store fails, the counts stay here, in constant space, for the next
 * try.
 */
export class MetricsRecorder {
  readonly #store: StatisticsStore;
  readonly #clock: Clock;
  readonly #pending = new Map<string, Pending>();
  #timer: Timer | undefined;
  #flushFailures = 0;
  #closed = false;

  constructor(store: StatisticsStore, clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** How often the store could not be written. */
  get flushFailures(): number {
    return this.#flushFailures;
  }

  /** A session answered initialize `loadMs` after its launch began. */
  loaded(id: string, loadMs: number): void {
    const pending = this.#of(id);
    pending.loads += 1;
    pending.lastLoadMs = loadMs;
  }

  called(id: string, call: CallRecord): void {
    const pending = this.#of(id);
    const bucket = bucketOf(call.durationMs);
    pending.executions += 1;
    if (!call.ok) pending.failures += 1;
    pending.lastAtMs = Math.max(pending.lastAtMs ?? call.atMs, call.atMs);
    pending.totalMs += call.durationMs;
    pending.maxMs = Math.max(pending.maxMs, call.durationMs);
    pending.buckets[bucket] = (pending.buckets[bucket] ?? 0) + 1;
  }

  exited(id: string, exit: ExitRecord): void {
    const pending = this.#of(id);
    pending.exits[exit.kind] = (pending.exits[exit.kind] ?? 0) + 1;
    pending.lastExits = [exit, ...pending.lastExits].slice(0, hostLimits.exitsKept);
  }

  /** What is stored and what is not yet, together. Throws STATE_UNREADABLE when the store cannot be read. */
  read(id: string): PluginStatistics {
    return sum(this.#store.read(id), this.#pending.get(id) ?? nothing());
  }

  /** Drops what is not yet stored of a plugin that is removed. */
  forget(id: string): void {
    this.#pending.delete(id);
  }

  /** Writes everything now; what the store refuses stays pending. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    for (const [id, pending] of this.#pending) {
      try {
        this.#store.add(id, pending);
        this.#pending.delete(id);
      } catch {
        this.#flushFailures += 1;
        this.#schedule();
        return;
      }
    }
  }

  close(): void {
    this.#closed = true;
    this.flush();
  }

  #of(id: string): Pending {
    let pending = this.#pending.get(id);
    if (pending === undefined) {
      pending = nothing();
      this.#pending.set(id, pending);
      this.#schedule();
    }
    return pending;
  }

  #schedule(): void {
    if (!this.#closed) this.#timer ??= this.#clock.after(hostLimits.metricsFlushMs, () => this.flush()).unref();
  }
}

function nothing(): Pending {
  return {
    executions: 0,
    failures: 0,
    lastAtMs: null,
    totalMs: 0,
    maxMs: 0,
    buckets: new Array<number>(latencyBoundsMs.length + 1).fill(0),
    loads: 0,
    lastLoadMs: null,
    exits: {},
    lastExits: [],
  };
}

function sum(stored: PluginStatistics, delta: StatisticsDelta): PluginStatistics {
  const exits = { ...stored.exits };
  for (const [kind, count] of Object.entries(delta.exits)) exits[kind] = (exits[kind] ?? 0) + count;
  return {
    executions: stored.executions + delta.executions,
    failures: stored.failures + delta.failures,
    lastAtMs: delta.lastAtMs ?? stored.lastAtMs,
    totalMs: stored.totalMs + delta.totalMs,
    maxMs: Math.max(stored.maxMs, delta.maxMs),
    buckets: delta.buckets.map((count, index) => count + (stored.buckets[index] ?? 0)),
    loads: stored.loads + delta.loads,
    lastLoadMs: delta.lastLoadMs ?? stored.lastLoadMs,
    exits,
    lastExits: [...delta.lastExits, ...stored.lastExits].slice(0, hostLimits.exitsKept),
  };
}
