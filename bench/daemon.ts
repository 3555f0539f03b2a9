import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { createHost } from '@mmm/host';
import { interleave, median, quantile } from './measure.ts';
import { compile, installNative } from './native.ts';
import { environment, repository } from './programs.ts';
import type { Bench, Outcome } from './result.ts';

const plugins = 50;
const goalMs = 500;
const command = join(repository, 'packages/cli/bin/mmm.cjs');

/** How long a home is without its daemon after a kill -9, and what a command saves by speaking to one. */
export async function daemon(bench: Bench): Promise<Outcome> {
  const home = join(bench.folder, 'home');
  const host = await createHost({ home });
  const [first = ''] = await installNative(
    host,
    compile('answers.c', bench.folder),
    join(bench.folder, 'source'),
    plugins,
  );
  await host.close();
  bench.say(`kill -9 of a daemon with ${plugins} plugins to the next one's readiness, ${bench.rounds} rounds`);
  const readyMs: number[] = [];
  let running = await ready(home);
  for (let round = 0; round < bench.rounds; round += 1) {
    await kill(running.child);
    running = await ready(home);
    readyMs.push(running.tookMs);
  }
  await kill(running.child);
  bench.say(`mmm plugin exec with a daemon and without one, ${bench.rounds} rounds`);
  const other = join(bench.folder, 'other');
  const alone = await createHost({ home: other });
  const [name = ''] = await installNative(alone, compile('answers.c', bench.folder), join(bench.folder, 'more'), 1);
  await alone.close();
  running = await ready(home);
  const calls = [
    { at: home, plugin: first },
    { at: other, plugin: name },
  ];
  const [withDaemon = [], without = []] = await interleave(calls, bench.rounds, async ({ at, plugin }) => {
    return exec(at, plugin);
  });
  await kill(running.child);
  const p99 = quantile(readyMs, 0.99);
  return {
    results: [
      { name: `kill -9 of a daemon to ready, ${plugins} plugins`, p50_ms: round(median(readyMs)), p99_ms: round(p99) },
      { name: 'mmm plugin exec through a daemon', p50_ms: round(median(withDaemon)) },
      { name: 'mmm plugin exec without one', p50_ms: round(median(without)) },
    ],
    goals: [{ text: `a daemon is ready within ${goalMs} ms with ${plugins} plugins (p99)`, value: p99, max: goalMs }],
  };
}

async function ready(home: string): Promise<{ readonly child: ChildProcess; readonly tookMs: number }> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [command, 'daemon', 'run', '--json', '--home', home], {
    env: environment,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface({ input: child.stdout }), 'line')) as [string];
  if (!line.includes('"running":true')) throw new Error(line);
  return { child, tookMs: performance.now() - startedMs };
}

async function kill(child: ChildProcess): Promise<void> {
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

function exec(home: string, plugin: string): number {
  const startedMs = performance.now();
  const argv = [command, 'plugin', 'exec', plugin, 'run', '--home', home];
  const { status, stderr } = spawnSync(process.execPath, argv, { env: environment, encoding: 'utf8' });
  if (status !== 0) throw new Error(stderr);
  return performance.now() - startedMs;
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
