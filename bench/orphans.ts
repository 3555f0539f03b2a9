import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { createHost } from '@mmm/host';
import { processEntry } from '../packages/host/src/processes/process-table.ts';
import { median, quantile } from './measure.ts';
import { compile, installNative } from './native.ts';
import { program, repository } from './programs.ts';
import type { Bench, Outcome } from './result.ts';

const plugins = 20;
const goalMs = 250;

/** From a `kill -9` of the host to the end of the last process of its plugins, each of which left one behind. */
export async function orphans(bench: Bench): Promise<Outcome> {
  const home = join(bench.folder, 'home');
  const host = await createHost({ home });
  await installNative(host, compile('leaves-one.c', bench.folder), join(bench.folder, 'source'), plugins);
  await host.close();
  bench.say(`kill -9 of a host with ${plugins} plugins, ${bench.rounds} rounds`);
  const tookMs: number[] = [];
  for (let round = 0; round < bench.rounds; round += 1) tookMs.push(await killOnce(home));
  const p99 = quantile(tookMs, 0.99);
  const name = `kill -9 of a host to the end of ${2 * plugins} processes of its plugins`;
  return {
    results: [{ name, p50_ms: round(median(tookMs)), p99_ms: round(p99) }],
    goals: [{ text: `after kill -9 of the host nothing is left within ${goalMs} ms (p99)`, value: p99, max: goalMs }],
  };
}

async function killOnce(home: string): Promise<number> {
  const host = spawn(process.execPath, [...process.execArgv, program('host-to-kill.ts'), home], {
    cwd: repository,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(createInterface({ input: host.stdout }), 'line');
  const before = pluginProcesses();
  if (before.length < 2 * plugins) throw new Error(`Only ${before.length} processes run: there is nothing to measure.`);
  const startedMs = performance.now();
  host.kill('SIGKILL');
  while (before.some(runs)) await new Promise((resolve) => setImmediate(resolve));
  return performance.now() - startedMs;
}

/** Of the plugins of this measurement, whoever their parents are. */
function pluginProcesses(): readonly string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return /\0MMM_PLUGIN=native_\d+\0/.test(`\0${readFileSync(`/proc/${pid}/environ`, 'latin1')}`) && runs(pid);
    } catch {
      // Gone, or another user's.
      return false;
    }
  });
}

function runs(pid: string): boolean {
  return processEntry(Number(pid))?.hasEnded === false;
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
