import { performance } from 'node:perf_hooks';
import { type Plugin, systemClock } from '@mmm/host';
import { median } from './measure.ts';
import type { Bench, Outcome } from './result.ts';
import { openHost } from './stage.ts';

const callsPerSecond = 1_000;
/** Calls are begun in groups of so many milliseconds: a timer is not more exact. */
const tickMs = 10;

interface Load {
  readonly latenciesMs: number[];
  failed: number;
  wrong: number;
}

/** A plugin that is restarted again and again under a steady load: how long each takes, and what the calls notice. */
export async function reload(bench: Bench): Promise<Outcome> {
  const host = await openHost(bench.folder, true);
  const plugin = await host.plugin('echo');
  await plugin.start();
  bench.say(`${callsPerSecond} calls a second, without a restart and through ${bench.rounds} of them`);
  const quiet = await underLoad(plugin, () => systemClock.sleep(2_000));
  const reloadsMs: number[] = [];
  const busy = await underLoad(plugin, async () => {
    for (let round = 0; round < bench.rounds; round += 1) reloadsMs.push((await plugin.restart()).durationMs);
  });
  await host.close();
  return {
    results: [
      { name: 'a reload under load, until calls go to the new process', p50_ms: round(median(reloadsMs)) },
      { name: 'a call at 1,000 a second', ...percentiles(quiet.latenciesMs) },
      { name: 'a call at 1,000 a second through reloads', ...percentiles(busy.latenciesMs) },
    ],
    goals: [
      {
        text: `of ${busy.latenciesMs.length + busy.failed} calls through reloads none is lost`,
        value: busy.failed,
        max: 0,
      },
      { text: 'and none gets the answer of another', value: busy.wrong, max: 0 },
    ],
  };
}

/** Begins calls at a steady rate, whether earlier ones are answered or not, until `work` is over. */
async function underLoad(plugin: Plugin, work: () => Promise<void>): Promise<Load> {
  const load: Load = { latenciesMs: [], failed: 0, wrong: 0 };
  const calls: Promise<void>[] = [];
  const beganMs = performance.now();
  let isOver = false;
  const pump = (async () => {
    while (!isOver) {
      const due = ((performance.now() - beganMs) / 1000) * callsPerSecond;
      while (calls.length < due) calls.push(call(plugin, `call ${calls.length}`, load));
      await systemClock.sleep(tickMs);
    }
  })();
  await work();
  isOver = true;
  await pump;
  await Promise.all(calls);
  return load;
}

/** Not idempotent: what is lost is not made once more. */
async function call(plugin: Plugin, text: string, load: Load): Promise<void> {
  const beganMs = performance.now();
  try {
    const { output } = await plugin.execute<{ readonly text: string }>('once', { text });
    load.latenciesMs.push(performance.now() - beganMs);
    if (output.text !== text) load.wrong += 1;
  } catch {
    load.failed += 1;
  }
}

function percentiles(latenciesMs: readonly number[]) {
  const sorted = latenciesMs.toSorted((a, b) => a - b);
  return { p50_ms: round(median(sorted)), p99_ms: round(sorted[Math.floor(sorted.length * 0.99)] ?? 0) };
}

function round(ms: number): number {
  return Math.round(ms * 100) / 100;
}
