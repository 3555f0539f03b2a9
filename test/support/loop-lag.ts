import { monitorEventLoopDelay } from 'node:perf_hooks';

/** Longest time the event loop was kept from turning while `work` ran, in milliseconds. */
export async function loopLagMs(work: () => Promise<unknown>): Promise<number> {
  const monitor = monitorEventLoopDelay({ resolution: 5 });
  monitor.enable();
  try {
    await work();
  } finally {
    monitor.disable();
  }
  return monitor.max / 1e6;
}

/** Resident memory in MB after a collection, where the runtime allows one. */
export function residentMb(): number {
  globalThis.gc?.();
  return process.memoryUsage().rss / 1_048_576;
}
