import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Host, Plugin } from '@mmm/host';
import { interleave, median, medianDifference, quantile, timeMs } from './measure.ts';
import { start } from './programs.ts';
import type { Bench, Outcome, Result } from './result.ts';
import { openHost } from './stage.ts';

interface Start {
  readonly name: string;
  /** The most it may take longer than the bare program. */
  readonly overheadMaxMs?: number;
  /** From nothing to the first answer; returns milliseconds and leaves nothing behind. */
  run(): Promise<number>;
}

/** From a plugin that does not run to its first answer, less what the bare program takes for the same. */
export async function loadOverhead(bench: Bench): Promise<Outcome> {
  const hosts: Host[] = [];
  const open = async (confined: boolean, network?: string) => {
    const folder = network === undefined ? bench.folder : join(bench.folder, 'networked');
    const host = await openHost(folder, confined, network === undefined ? {} : { network });
    hosts.push(host);
    const plugin = await host.plugin('echo');
    // The first start probes the machine and verifies the bundle; the host then knows both.
    await plugin.start();
    await plugin.stop();
    return plugin;
  };
  try {
    const [unconfined, confined] = [await open(false), await open(true)];
    // Nobody listens there, and nobody connects: what is measured is that it could.
    const networked = await open(true, '127.0.0.1:1');
    const starts: Start[] = [
      { name: 'bare program, spawn to first answer', run: bareStart },
      { name: 'load, unconfined', overheadMaxMs: 5, run: () => pluginStart(unconfined) },
      { name: 'load, confined', overheadMaxMs: 12, run: () => pluginStart(confined) },
      { name: 'load, confined, with a granted host', overheadMaxMs: 30, run: () => pluginStart(networked) },
    ];
    bench.say(`starts, ${bench.rounds} rounds`);
    return compare(starts, await interleave(starts, bench.rounds, (entry) => entry.run()));
  } finally {
    for (const host of hosts) await host.close();
  }
}

function compare(starts: readonly Start[], values: readonly (readonly number[])[]): Outcome {
  const overheads = starts.map((_start, index) => medianDifference(values[index] ?? [], values[0] ?? []));
  const results = starts.map(({ name }, index): Result => {
    const own = values[index] ?? [];
    const row = { name, p50_ms: round(median(own)), p99_ms: round(quantile(own, 0.99)) };
    return index === 0 ? row : { ...row, overhead_ms: round(overheads[index] ?? Number.NaN) };
  });
  const goals = starts.flatMap(({ name, overheadMaxMs }, index) => {
    if (overheadMaxMs === undefined) return [];
    const text = `${name}: at most ${overheadMaxMs} ms longer than the bare program`;
    return [{ text, value: overheads[index] ?? Number.NaN, max: overheadMaxMs }];
  });
  return { results, goals };
}

async function bareStart(): Promise<number> {
  let child: ReturnType<typeof start> | undefined;
  const tookMs = await timeMs(async () => {
    child = start('echo-lines.cjs');
    child.stdin.write('{"jsonrpc":"2.0","id":0,"method":"initialize","params":{}}\n');
    await new Promise((resolve) => child && createInterface({ input: child.stdout }).once('line', resolve));
  });
  const gone = new Promise((resolve) => child?.once('exit', resolve));
  child?.stdin.end();
  await gone;
  return tookMs;
}

async function pluginStart(plugin: Plugin): Promise<number> {
  const tookMs = await timeMs(() => plugin.start());
  await plugin.stop();
  return tookMs;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
