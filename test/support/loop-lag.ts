import { systemClock } from '@mmm/rpc';
import { collectGarbage } from '../../scripts/collect-garbage.ts';

const tickMs = 5;

/**
 * Longest time that this process kept its event loop from turning while `work` ran, in milliseconds. Time that the
 * machine gave to others is not counted: a turn is late by no more than the processor time this process used in it.
 */
export async function loopLagMs(work: () => Promise<unknown>): Promise<number> {
  let longest = 0;
  let at = systemClock.monotonic();
  let used = process.cpuUsage();
  let timer = systemClock.after(tickMs, tick);
  function tick(): void {
    const now = systemClock.monotonic();
    const { user, system } = process.cpuUsage(used);
    longest = Math.max(longest, Math.min(now - at - tickMs, (user + system) / 1000));
    at = now;
    used = process.cpuUsage();
    timer = systemClock.after(tickMs, tick);
  }
  try {
    await work();
  } finally {
    timer.cancel();
  }
  return longest;
}

/** Resident memory in MB after a collection, where the runtime allows one. */
export function residentMb(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss / 1_048_576;
}

/** What this process really holds, in MB: what its allocator keeps for later is not in it. */
export function heldMb(): number {
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return (heapUsed + external) / 1_048_576;
}
