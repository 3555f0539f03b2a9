import { hostLimits } from '../limits.ts';
import type { LimitName } from './limits.ts';

/** Who holds a limit, and what becomes of what would go over it. */
export interface LimitEffect {
  /** `kernel`: refused at that moment. `watchdog`: seen soon after, and ended. `host`: never more is taken. */
  readonly by: readonly ('kernel' | 'watchdog' | 'host')[];
  readonly how: string;
  readonly over: string;
}

const fast = `${hostLimits.watchFastMs} ms`;
const slow = `${hostLimits.watchSlowMs / 1000} s`;
const stubborn = `${hostLimits.processesAtLimitMs / 1000} s`;
const measured = `${hostLimits.diskWatchMs / 1000} s`;
const average = `${hostLimits.cpuWindowMs / 1000} s`;
const idle = `${(hostLimits.watchSlowMs * (hostLimits.watchGlances + 1)) / 1000} s`;
const growing = `${hostLimits.watchGrowingMs} ms`;
const busy = `every ${fast} while the plugin works or has half of it, every ${growing} while it grows`;
const looks = `${busy}, else every ${slow}`;

/** For each limit. Read by `mmm doctor` and by the page about limits, so that both say what is done. */
export const limitEffects: Readonly<Record<LimitName, LimitEffect>> = {
  memory_mb: {
    by: ['kernel', 'watchdog'],
    how: `each process by RLIMIT_DATA; all together, what they share counted once, by a look ${looks}`,
    over: 'the process gets no more; all over it together: the plugin is ended (`memory`)',
  },
  cpu: {
    by: ['watchdog'],
    how: `by a look every ${fast} while the plugin works, else every ${idle}; on the average of ${average}`,
    over: 'the plugin is ended (`cpu`)',
  },
  processes: {
    by: ['kernel', 'watchdog'],
    how: 'by RLIMIT_NPROC, for each plugin by itself',
    over: `no more are started; a plugin that goes on trying for ${stubborn} is ended (\`processes\`)`,
  },
  files: { by: ['kernel'], how: 'each process by RLIMIT_NOFILE', over: 'no more are opened' },
  file_mb: { by: ['kernel'], how: 'by RLIMIT_FSIZE', over: 'the write fails, or SIGXFSZ ends the process' },
  temporary_mb: { by: ['kernel'], how: 'by the size of the file system, in the sandbox', over: 'the write fails' },
  disk_mb: {
    by: ['watchdog'],
    how: `measured every ${measured} while the plugin works, at once when the disk loses ${hostLimits.diskDropMb} MB`,
    over: 'the plugin is ended (`disk`); started again, it may tidy up, but not grow',
  },
  concurrency: { by: ['host'], how: 'by the queue of its calls', over: 'calls wait; too many: `BUSY`' },
  calls_per_second: { by: ['host'], how: 'by counting, a burst of one second included', over: '`RATE_LIMITED`' },
  output_mb_per_second: { by: ['host'], how: 'by not reading more', over: 'the plugin waits' },
  log_lines_per_second: { by: ['host'], how: 'by counting', over: 'lines are dropped, and how many is logged' },
};
