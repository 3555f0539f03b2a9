import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createHost, type Host, type Plugin } from '@mmm/host';
import { processEntry } from '../packages/host/src/processes/process-table.ts';
import { median } from './measure.ts';
import { compile, installNative } from './native.ts';
import type { Bench, Outcome } from './result.ts';

const plugins = 50;
const closeMaxMs = 8_000;
const revokedMaxMs = 1_000;
/** Each takes its eight seconds. */
const closings = 3;

/**
 * How soon plugins are gone that do not want to go: fifty at the end of their host, and one whose key another host on
 * the same home revokes.
 */
export async function stops(bench: Bench): Promise<Outcome> {
  const stays = compile('stays.c', bench.folder);
  const closed: number[] = [];
  const revoked: number[] = [];
  bench.say(`the end of a host with ${plugins} plugins that stay, ${closings} times`);
  for (let time = 0; time < closings; time += 1) closed.push(await closeOnce(bench, stays, time));
  bench.say(`a key that is revoked elsewhere, ${bench.rounds} times`);
  for (let time = 0; time < bench.rounds; time += 1) revoked.push(await revokeOnce(bench, stays, time));
  const [slowestClose, slowestRevoked] = [Math.max(...closed), Math.max(...revoked)];
  return {
    results: [
      { name: `end of a host with ${plugins} plugins that stay`, p50_ms: round(median(closed)) },
      { name: 'end of a plugin whose key is revoked elsewhere', p50_ms: round(median(revoked)) },
    ],
    goals: [
      { text: `${plugins} plugins that ignore everything are gone: at most 8 s`, value: slowestClose, max: closeMaxMs },
      { text: 'a revoked plugin is gone: at most 1 s', value: slowestRevoked, max: revokedMaxMs },
    ],
  };
}

async function opened(
  home: string,
  { folder }: Bench,
  compiled: string,
  count: number,
): Promise<[Host, readonly Plugin[]]> {
  const host = await createHost({ home: join(folder, home) });
  const names = await installNative(host, compiled, join(folder, `${home}-source`), count);
  const opened = await Promise.all(names.map((name) => host.plugin(name)));
  // From this answer on they do nothing that they are asked to.
  for (const plugin of opened) await plugin.execute('run', {});
  return [host, opened];
}

async function closeOnce(bench: Bench, compiled: string, time: number): Promise<number> {
  const [host, all] = await opened(`closed-${time}`, bench, compiled, plugins);
  const pids = all.map(pidOf);
  const startedMs = performance.now();
  await host.close();
  await gone(pids);
  return performance.now() - startedMs;
}

async function revokeOnce(bench: Bench, compiled: string, time: number): Promise<number> {
  const [host, all] = await opened(`revoked-${time}`, bench, compiled, 1);
  const other = await createHost({ home: host.home });
  const startedMs = performance.now();
  await other.revokeKey('bench', 'measured');
  await gone(all.map(pidOf));
  const tookMs = performance.now() - startedMs;
  await other.close();
  await host.close();
  return tookMs;
}

function pidOf({ id, pid }: Plugin): number {
  if (pid === null) throw new Error(`${id} does not run: there is nothing to measure.`);
  return pid;
}

async function gone(pids: readonly number[]): Promise<void> {
  while (pids.some((pid) => processEntry(pid)?.hasEnded === false)) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
