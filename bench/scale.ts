import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { performance } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { createHost, type Host, type Plugin } from '@mmm/host';
import { interleave, median, medianRatio } from './measure.ts';
import { compile, installNative } from './native.ts';
import { program, repository } from './programs.ts';
import type { Bench, Goal, Outcome, Result } from './result.ts';

const plugins = 200;
const idleMs = 30_000;
const quickIdleMs = 5_000;
const idleWindows = 3;
const callsPerRound = 200;

/** What many native plugins that run cost their host: memory, time while nothing happens, and each other's calls. */
export async function scale(bench: Bench): Promise<Outcome> {
  const answers = compile('answers.c', bench.folder);
  const hosts: Host[] = [];
  try {
    const open = async (name: string, count: number): Promise<readonly Plugin[]> => {
      const host = await createHost({ home: join(bench.folder, name) });
      hosts.push(host);
      const names = await installNative(host, answers, join(bench.folder, `${name}-source`), count);
      return await Promise.all(names.map((id) => host.plugin(id)));
    };
    bench.say(`installing ${plugins} plugins`);
    const many = await open('many', plugins);
    bench.say(`memory of a host with ${plugins} plugins`);
    const memory = memoryPerPlugin(join(bench.folder, 'many'));
    bench.say(`starting ${plugins} plugins`);
    for (const plugin of many) await call(plugin);
    const waitMs = bench.rounds < 30 ? quickIdleMs : idleMs;
    bench.say(`${plugins} plugins run, ${idleWindows} times ${waitMs / 1000} s without a call`);
    const cpuShare = await idleCpuShare(waitMs);
    // Not before: a second host would look after its own.
    const [alone] = await open('one', 1);
    if (alone === undefined) throw new Error('There is no plugin.');
    await call(alone);
    bench.say(`calls of one plugin alone and of one of ${plugins}, ${bench.rounds} rounds`);
    const one = await comparedCalls(alone, many, bench.rounds);
    return outcome(memory, cpuShare, one);
  } finally {
    for (const host of hosts) await host.close();
  }
}

async function call(plugin: Plugin): Promise<void> {
  await plugin.execute('run', {});
}

interface Memory {
  readonly residentKb: number;
  readonly heapKb: number;
}

/** What a host has more for each plugin that runs and was called. */
function memoryPerPlugin(home: string): Memory {
  const node = [...process.execArgv, '--expose-gc', program('memory-of-many.ts'), home];
  const run = spawnSync(process.execPath, node, { cwd: repository, encoding: 'utf8', timeout: 300_000 });
  if (run.status !== 0) throw new Error(`The memory could not be measured: ${run.stderr}`);
  return JSON.parse(run.stdout) as Memory;
}

/** The median of some windows: in one of the first V8 collects what hundreds of starts left, which is not idleness. */
async function idleCpuShare(ms: number): Promise<number> {
  // Nor is what they left to be written, such as statistics.
  await setTimeout(3_000);
  const shares: number[] = [];
  for (let window = 0; window < idleWindows; window += 1) {
    const before = process.cpuUsage();
    const startedMs = performance.now();
    await setTimeout(ms);
    const { user, system } = process.cpuUsage(before);
    shares.push((user + system) / 1000 / (performance.now() - startedMs));
  }
  return median(shares);
}

interface Compared {
  readonly aloneUs: number;
  readonly manyUs: number;
  readonly ratio: number;
  /** Of all of them, one after the other: each finds the processor's caches full of the others. */
  readonly inTurnUs: number;
}

/** The median of a round trip, of the only plugin of one host and of those of another host with many. */
async function comparedCalls(alone: Plugin, many: readonly Plugin[], rounds: number): Promise<Compared> {
  const roundTrip = async (next: (index: number) => Plugin): Promise<number> => {
    const tookUs: number[] = [];
    for (let index = 0; index < callsPerRound; index += 1) {
      const plugin = next(index);
      const startedMs = performance.now();
      await call(plugin);
      tookUs.push((performance.now() - startedMs) * 1000);
    }
    return median(tookUs);
  };
  const entries = [() => alone, () => many[0] ?? alone, (index: number) => many[index % many.length] ?? alone];
  const [aloneUs = [], manyUs = [], inTurnUs = []] = await interleave(entries, rounds, roundTrip);
  const ratio = medianRatio(manyUs, aloneUs);
  return { aloneUs: median(aloneUs), manyUs: median(manyUs), inTurnUs: median(inTurnUs), ratio };
}

function outcome(memory: Memory, cpuShare: number, { aloneUs, manyUs, inTurnUs, ratio }: Compared): Outcome {
  const results: readonly Result[] = [
    { name: `host memory for each of ${plugins} running plugins, resident`, kb: round(memory.residentKb) },
    { name: `host memory for each of ${plugins} running plugins, JavaScript`, kb: round(memory.heapKb) },
    { name: `host while ${plugins} plugins run and nothing happens`, cpu_percent: round(cpuShare * 100) },
    { name: 'call of the only plugin', p50_us: round(aloneUs) },
    { name: `call of one of ${plugins} plugins that run`, p50_us: round(manyUs) },
    { name: `calls of ${plugins} plugins in turn`, p50_us: round(inTurnUs) },
  ];
  const goals: readonly Goal[] = [
    { text: 'host memory for each running plugin: at most 150 KB', value: memory.residentKb, max: 150 },
    { text: `processor time of an idle host of ${plugins} plugins: at most 0.5 %`, value: cpuShare * 100, max: 0.5 },
    { text: `a call of one of ${plugins}: at most 1.5 times that of the only one`, value: ratio, max: 1.5 },
  ];
  return { results, goals };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
