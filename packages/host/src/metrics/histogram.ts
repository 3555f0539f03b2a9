import type { PluginStatistics } from '../store/store.ts';

/**
 * Upper bounds of the latency buckets in milliseconds, three to a decade, so that an estimate is at most a factor of
 * 2.5 off: from 20 µs, below the fastest round trip, to 500 s, near the longest call there is. One more bucket holds
 * the rest. Buckets are stored by their number: a change of this list needs a migration of the store.
 */
export const latencyBoundsMs: readonly number[] = [
  0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000,
  200_000, 500_000,
];

/** The number of the bucket that holds a latency. */
export function bucketOf(durationMs: number): number {
  const index = latencyBoundsMs.findIndex((boundMs) => durationMs <= boundMs);
  return index < 0 ? latencyBoundsMs.length : index;
}

/**
 * Estimates the latency that `share` (0 to 1) of the calls did not exceed; null without calls. Within a bucket the
 * calls are taken to be spread evenly on a logarithmic scale; never more than `maxMs`.
 */
export function quantileMs(buckets: readonly number[], share: number, maxMs: number): number | null {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const rank = share * total;
  let below = 0;
  for (const [index, count] of buckets.entries()) {
    if (count > 0 && below + count >= rank) {
      const upperMs = latencyBoundsMs[index] ?? maxMs;
      const lowerMs = latencyBoundsMs[index - 1] ?? upperMs / 2;
      const within = Math.max(0, rank - below) / count;
      return Math.min(maxMs, lowerMs * (Math.max(upperMs, lowerMs) / lowerMs) ** within);
    }
    below += count;
  }
  return maxMs;
}

export interface LatencySummary {
  /** Exact; null without calls. */
  readonly averageMs: number | null;
  /** Estimates; null without calls. */
  readonly p50Ms: number | null;
  readonly p95Ms: number | null;
  readonly p99Ms: number | null;
  /** Exact. */
  readonly maxMs: number | null;
  /** Calls that failed, 0 to 1; null without calls. */
  readonly failureShare: number | null;
}

/** What a person wants to know of the statistics. */
export function summarize(
  statistics: Pick<PluginStatistics, 'executions' | 'failures' | 'totalMs' | 'maxMs' | 'buckets'>,
): LatencySummary {
  const { executions, failures, totalMs, maxMs, buckets } = statistics;
  if (executions === 0) {
    return { averageMs: null, p50Ms: null, p95Ms: null, p99Ms: null, maxMs: null, failureShare: null };
  }
  return {
    averageMs: totalMs / executions,
    p50Ms: quantileMs(buckets, 0.5, maxMs),
    p95Ms: quantileMs(buckets, 0.95, maxMs),
    p99Ms: quantileMs(buckets, 0.99, maxMs),
    maxMs,
    failureShare: failures / executions,
  };
}
