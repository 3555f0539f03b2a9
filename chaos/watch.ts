import { createHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import { systemClock, type Timer } from '@mmm/rpc';
import { collectGarbage } from '../scripts/collect-garbage.ts';

/** Enough for windows of six samples, and few enough that the collections before them do not count as lag. */
const samplesMax = 60;
const samplePeriodMinMs = 250;
/** How often the delay of the event loop is measured; a turn that is on time takes this long. */
const resolutionMs = 10;

export interface Watched {
  readonly lagP99Ms: number;
  readonly lagMaxMs: number;
  /** The same without the time that the machine gave to others: what this process itself worked in a turn. */
  readonly ownLagP99Ms: number;
  readonly heap: Trend;
  readonly resident: Trend;
}

/** Mean of the second and of the last tenth of a run, in MB. */
export interface Trend {
  readonly earlyMb: number;
  readonly lateMb: number;
}

/** Watches this process for the time of a run: how late its event loop turns, and what memory it holds. */
export class Watch {
  readonly #delay = monitorEventLoopDelay({ resolution: resolutionMs });
  readonly #heap: number[] = [];
  readonly #resident: number[] = [];
  readonly #periodMs: number;
  /** In microseconds. */
  readonly #ownLag = createHistogram();
  #sampling: Timer | undefined;
  #ticking: Timer | undefined;

  constructor(seconds: number) {
    this.#periodMs = Math.max(samplePeriodMinMs, (seconds * 1000) / samplesMax);
    this.#delay.enable();
    this.#sampleLater();
    this.#tickLater();
  }

  end(): Watched {
    this.#sampling?.cancel();
    this.#ticking?.cancel();
    this.#delay.disable();
    const late = (nanoseconds: number): number => Math.max(0, nanoseconds / 1e6 - resolutionMs);
    return {
      lagP99Ms: late(this.#delay.percentile(99)),
      lagMaxMs: late(this.#delay.max),
      ownLagP99Ms: this.#ownLag.percentile(99) / 1000,
      heap: trend(this.#heap),
      resident: trend(this.#resident),
    };
  }

  #tickLater(): void {
    const startedMs = systemClock.monotonic();
    const used = process.cpuUsage();
    this.#ticking = systemClock.after(resolutionMs, () => {
      const lateUs = (systemClock.monotonic() - startedMs - resolutionMs) * 1000;
      const { user, system } = process.cpuUsage(used);
      this.#ownLag.record(Math.max(1, Math.round(Math.min(lateUs, user + system))));
      this.#tickLater();
    });
  }

  #sampleLater(): void {
    this.#sampling = systemClock.after(this.#periodMs, () => {
      collectGarbage();
      const { heapUsed, rss } = process.memoryUsage();
      this.#heap.push(heapUsed);
      this.#resident.push(rss);
      this.#sampleLater();
    });
  }
}

function trend(samples: readonly number[]): Trend {
  const tenth = Math.max(1, Math.floor(samples.length / 10));
  return { earlyMb: meanMb(samples.slice(tenth, 2 * tenth)), lateMb: meanMb(samples.slice(-tenth)) };
}

function meanMb(samples: readonly number[]): number {
  return samples.reduce((sum, bytes) => sum + bytes, 0) / samples.length / 1_048_576;
}
