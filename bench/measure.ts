import { loadavg } from 'node:os';
import { performance } from 'node:perf_hooks';

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

/** Of two rows measured in the same rounds, the median of how often the second fits into the first. */
export function medianRatio(values: readonly number[], base: readonly number[]): number {
  return median(values.map((value, round) => value / (base[round] ?? Number.NaN)));
}

/** Of two rows measured in the same rounds, the median of how much longer the first takes. */
export function medianDifference(values: readonly number[], base: readonly number[]): number {
  return median(values.map((value, round) => value - (base[round] ?? Number.NaN)));
}

export async function timeMs(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

/**
 * Measures each entry once in every round, each round starting with another one, so that whatever slows the machine for
 * a while slows all of them. Returns the values of each entry by round.
 */
export async function interleave<T>(
  entries: readonly T[],
  rounds: number,
  measure: (entry: T, round: number) => Promise<number>,
): Promise<number[][]> {
  const values = entries.map((): number[] => []);
  for (let round = 0; round < rounds; round++) {
    for (let turn = 0; turn < entries.length; turn++) {
      const index = (round + turn) % entries.length;
      const entry = entries[index];
      if (entry !== undefined) values[index]?.push(await measure(entry, round));
    }
  }
  return values;
}

/** The load of the last minute: numbers taken on a busy machine say little. */
export function load(): number {
  return Math.round((loadavg()[0] ?? 0) * 100) / 100;
}
