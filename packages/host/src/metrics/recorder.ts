import type { Clock, ConnectionCounters, Timer } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import {
  type CallRecord,
  type CounterName,
  counterNames,
  type ExitRecord,
  type PluginStatistics,
  type RecordedSeries,
  type StatisticsDelta,
  type StatisticsStore,
} from '../store/store.ts';
import { bucketOf, latencyBoundsMs } from './histogram.ts';
import { SessionTraffic } from './session-traffic.ts';

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
  readonly restarts: Record<string, number>;
  readonly counters: Record<CounterName, number>;
  /** By name and labels. */
  readonly series: Map<string, RecordedSeries>;
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
  /** Of sessions that live. What they count themselves is asked for when it is wanted. */
  readonly #traffic = new Map<string, Set<SessionTraffic>>();
  /** The series of each plugin that recorded something since this host began. */
  readonly #series = new Map<string, Set<string>>();
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

  /** A session began after one that had ended unasked. */
  restarted(id: string, cause: string): void {
    const { restarts } = this.#of(id);
    restarts[cause] = (restarts[cause] ?? 0) + 1;
  }

  count(id: string, counter: CounterName, times = 1): void {
    this.#of(id).counters[counter] += times;
  }

  /** Adds what a session counts on its pipes to the plugin's counters, until `ended` settles. */
  watch(id: string, counters: Readonly<ConnectionCounters>, ended: Promise<unknown>): void {
    const traffic = new SessionTraffic(counters);
    const all = this.#traffic.get(id) ?? new Set();
    this.#traffic.set(id, all.add(traffic));
    const end = (): void => {
      this.#take(id, traffic);
      all.delete(traffic);
      if (all.size === 0 && this.#traffic.get(id) === all) this.#traffic.delete(id);
    };
    void ended.then(end, end);
  }

  /**
   * A value that a plugin recorded itself. False, and counted, when that would be one series too many: a plugin that
   * puts a number of its own into each label must not fill memory or disk.
   */
  record(id: string, name: string, value: number, labels: Readonly<Record<string, string>>): boolean {
    const sorted = Object.fromEntries(Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1)));
    const key = seriesKey(name, sorted);
    const known = this.#seriesOf(id);
    if (!known.has(key) && known.size >= hostLimits.metricSeries) {
      this.count(id, 'metricsRefused');
      return false;
    }
    known.add(key);
    const { series } = this.#of(id);
    const before = series.get(key);
    const [count, sum] = [(before?.count ?? 0) + 1, (before?.sum ?? 0) + value];
    series.set(key, { name, labels: sorted, count, sum, last: value });
    return true;
  }

  /** What is stored and what is not yet, together. Throws STATE_UNREADABLE when the store cannot be read. */
  read(id: string): PluginStatistics {
    this.#takeAll(id);
    const pending = this.#pending.get(id);
    const stored = this.#store.read(id);
    return pending === undefined ? sum(stored, deltaOf(nothing())) : sum(stored, deltaOf(pending));
  }

  /** Drops what is not yet stored of a plugin that is removed. */
  forget(id: string): void {
    this.#pending.delete(id);
    this.#series.delete(id);
  }

  /** Writes everything now; what the store refuses stays pending. */
  flush(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
    while (this.#pending.size > 0) {
      if (this.#write()) continue;
      this.#schedule();
      return;
    }
  }

  /** Some of them, so that many plugins do not hold up the calls of all; the others in the next turn. */
  #flushSome(): void {
    this.#timer = undefined;
    const isWritten = this.#write();
    if (this.#pending.size === 0) return;
    if (isWritten) this.#timer = this.#clock.after(0, () => this.#flushSome()).unref();
    else this.#schedule();
  }

  /** False when the store failed. */
  #write(): boolean {
    const batch = [...this.#pending].slice(0, hostLimits.metricsFlushPlugins);
    for (const [id] of batch) this.#takeAll(id);
    try {
      this.#store.together(() => {
        for (const [id, pending] of batch) this.#store.add(id, deltaOf(pending));
      });
    } catch {
      this.#flushFailures += 1;
      return false;
    }
    for (const [id] of batch) this.#pending.delete(id);
    return true;
  }

  close(): void {
    this.#closed = true;
    for (const id of this.#traffic.keys()) this.#takeAll(id);
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

  #takeAll(id: string): void {
    for (const traffic of this.#traffic.get(id) ?? []) this.#take(id, traffic);
  }

  /** What a session counted since it was asked last. */
  #take(id: string, traffic: SessionTraffic): void {
    for (const [counter, times] of traffic.take()) this.count(id, counter, times);
  }

  #seriesOf(id: string): Set<string> {
    let known = this.#series.get(id);
    if (known === undefined) {
      known = new Set(this.#stored(id).map(({ name, labels }) => seriesKey(name, labels)));
      this.#series.set(id, known);
    }
    return known;
  }

  #stored(id: string): readonly RecordedSeries[] {
    try {
      return this.#store.read(id).recorded;
    } catch {
      // Counting goes on without the store; what it holds is then within its bound anyway.
      return [];
    }
  }

  #schedule(): void {
    if (!this.#closed) this.#timer ??= this.#clock.after(hostLimits.metricsFlushMs, () => this.#flushSome()).unref();
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
    restarts: {},
    counters: Object.fromEntries(counterNames.map((name) => [name, 0])) as Record<CounterName, number>,
    series: new Map(),
  };
}

function seriesKey(name: string, labels: RecordedSeries['labels']): string {
  return `${name} ${JSON.stringify(labels)}`;
}

function deltaOf({ series, ...pending }: Pending): StatisticsDelta {
  return { ...pending, recorded: [...series.values()] };
}

function sum(stored: PluginStatistics, delta: StatisticsDelta): PluginStatistics {
  return {
    executions: stored.executions + delta.executions,
    failures: stored.failures + delta.failures,
    lastAtMs: delta.lastAtMs ?? stored.lastAtMs,
    totalMs: stored.totalMs + delta.totalMs,
    maxMs: Math.max(stored.maxMs, delta.maxMs),
    buckets: delta.buckets.map((count, index) => count + (stored.buckets[index] ?? 0)),
    loads: stored.loads + delta.loads,
    lastLoadMs: delta.lastLoadMs ?? stored.lastLoadMs,
    exits: added(stored.exits, delta.exits),
    lastExits: [...delta.lastExits, ...stored.lastExits].slice(0, hostLimits.exitsKept),
    restarts: added(stored.restarts, delta.restarts),
    counters: added(stored.counters, delta.counters),
    recorded: addedSeries(stored.recorded, delta.recorded),
  };
}

function added<K extends string>(
  stored: Readonly<Record<K, number>>,
  delta: Readonly<Record<K, number>>,
): Readonly<Record<K, number>> {
  const all: Record<K, number> = { ...stored };
  for (const [key, count] of Object.entries(delta) as [K, number][]) all[key] = (all[key] ?? 0) + count;
  return all;
}

function addedSeries(stored: readonly RecordedSeries[], delta: readonly RecordedSeries[]): readonly RecordedSeries[] {
  const all = new Map(stored.map((series) => [seriesKey(series.name, series.labels), series]));
  for (const series of delta) {
    const key = seriesKey(series.name, series.labels);
    const before = all.get(key);
    const [count, total] = [(before?.count ?? 0) + series.count, (before?.sum ?? 0) + series.sum];
    all.set(key, { ...series, count, sum: total });
  }
  return [...all].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, series]) => series);
}
