import { type LimitBreach, memoryExhausted, memoryRefused } from './breach.ts';
import { ranOutOfMemory } from './out-of-memory.ts';
import type { Watchdog, Watched } from './watchdog.ts';

const mebibyte = 1024 * 1024;

/** The watch over one life of a plugin, for whoever started it. */
export interface LimitWatch {
  /** It is gone, and nobody ended it for a limit. Returns the one that explains its end, if one does. */
  ended(end: {
    readonly code: number | null;
    readonly signal: string | null;
    readonly stderrTail: string;
  }): LimitBreach | undefined;
}

/** Has the watchdog watch a process, and explains its end by what was seen of it. */
export function watchLimits(watchdog: Pick<Watchdog, 'add'>, watched: Watched): LimitWatch {
  const watch = watchdog.add(watched);
  return {
    ended: (end) => {
      const memoryPeakBytes = Math.max(watch.usage.memoryPeakBytes, watch.claimedPeakBytes());
      watch.end();
      const limitMb = watched.limits.memory_mb;
      if ((watched.oomKills?.() ?? 0) > 0) return memoryExhausted(watched.plugin, limitMb);
      const isRefused = ranOutOfMemory({ ...end, memoryPeakBytes, memoryLimitBytes: limitMb * mebibyte });
      return isRefused ? memoryRefused(watched.plugin, limitMb) : undefined;
    },
  };
}
