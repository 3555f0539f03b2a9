import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Host, Plugin } from '@mmm/host';
import { median, quantile, timeMs } from './measure.ts';
import { program } from './programs.ts';
import type { Bench, Goal, Outcome, Result } from './result.ts';
import { openHost } from './stage.ts';

const floods = ['log', 'unknown', 'requests', 'garbage', 'stderr'] as const;
/** How long the calls of one measurement are made. */
const phaseMs = 200;
/** From the start of a flood until it is under way. */
const headStartMs = 100;
/** Between two calls of somebody who calls at a fixed pace, whatever the answers take. */
const paceMs = 5;
const bombMs = 4_000;
const memoryMb = 128;

/** A plugin of one of the bench's programs, signed and installed. */
async function neighbour(host: Host, folder: string, name: string, file: string, limits = ''): Promise<Plugin> {
  const source = join(folder, name);
  mkdirSync(source);
  cpSync(program(file), join(source, file));
  const command = file.endsWith('.py') ? ['python3', file] : ['node', file];
  writeFileSync(
    join(source, 'plugin.toml'),
    `schema = 1\n\n[plugin]\nname = "${name}"\nversion = "1.0.0"\ndescription = "Beside others"\nlicense = "MIT"\n` +
      `command = ${JSON.stringify(command)}\n\n[[capabilities]]\nkind = "tool"\nname = "run"\n\n${limits}`,
  );
  await host.sign(source, 'bench');
  await host.install(source, { grantRequested: true });
  return await host.plugin(name);
}

/** What one plugin's floods and hogs cost the calls of another, and how soon who goes over a limit is ended. */
export async function neighbours(bench: Bench): Promise<Outcome> {
  const host = await openHost(bench.folder, true);
  try {
    const echo = await host.plugin('echo');
    await echo.start();
    const outcomes = [await besideFloods(bench, host, echo)];
    if (existsSync('/usr/bin/python3')) {
      outcomes.push(await besideForks(bench, host, echo), await overMemory(bench, host));
    } else {
      bench.say('no /usr/bin/python3: fork bomb and memory hog are left out');
    }
    return { results: outcomes.flatMap(({ results }) => results), goals: outcomes.flatMap(({ goals }) => goals) };
  } finally {
    await host.close();
  }
}

async function besideFloods(bench: Bench, host: Host, echo: Plugin): Promise<Outcome> {
  const flooder = await neighbour(host, bench.folder, 'flooder', 'floods.cjs');
  await flooder.start();
  await callsFor(echo, phaseMs * 5);
  bench.say(`calls beside floods, ${bench.rounds} rounds`);
  const idle: number[][] = [];
  const beside = new Map(floods.map((what): [string, number[][]] => [what, []]));
  for (let round = 0; round < bench.rounds; round++) {
    for (const [what, rows] of beside) {
      idle.push(await callsFor(echo, phaseMs));
      const flooding = flooder.execute('run', { what, ms: headStartMs + phaseMs + 50 });
      await sleep(headStartMs);
      rows.push(await callsFor(echo, phaseMs));
      await flooding;
    }
  }
  const p99 = (rows: readonly number[][]): number => median(rows.map((row) => quantile(row, 0.99)));
  const row = (name: string, rows: readonly number[][]): Result => {
    return { name, p50_us: Math.round(median(rows.flat())), p99_us: Math.round(p99(rows)) };
  };
  return {
    results: [
      row('call beside an idle plugin', idle),
      ...[...beside].map(([what, rows]) => row(`call beside a flood (${what})`, rows)),
    ],
    goals: [...beside].map(([what, rows]): Goal => {
      const text = `a call beside a flood (${what}): p99 at most 2 × that beside an idle plugin`;
      return { text, value: p99(rows) / p99(idle), max: 2 };
    }),
  };
}

async function besideForks(bench: Bench, host: Host, echo: Plugin): Promise<Outcome> {
  const bomber = await neighbour(host, bench.folder, 'bomber', 'forks.py', '[restart]\npolicy = "never"\n');
  const rounds = Math.min(bench.rounds, 5);
  bench.say(`calls beside a fork bomb, ${rounds} rounds`);
  const [idle, beside]: [number[][], number[][]] = [[], []];
  for (let round = 0; round < rounds; round++) {
    bomber.reset();
    await bomber.start();
    idle.push(await pacedCalls(echo, bombMs));
    const bombing = bomber.execute('run', { ceiling: 1_000, seconds: 10 }).catch(() => undefined);
    beside.push(await pacedCalls(echo, bombMs));
    await bombing;
  }
  const p95 = (rows: readonly number[][]): number => median(rows.map((row) => quantile(row, 0.95)));
  const row = (name: string, rows: readonly number[][]): Result => {
    return { name, p50_us: Math.round(median(rows.flat())), p99_us: Math.round(quantile(rows.flat(), 0.99)) };
  };
  const text = `a call every ${paceMs} ms beside a fork bomb: p95 at most 2 × that beside an idle plugin`;
  return {
    results: [row('paced call', idle), row('paced call beside a fork bomb', beside)],
    goals: [{ text, value: p95(beside) / p95(idle), max: 2 }],
  };
}

async function overMemory(bench: Bench, host: Host): Promise<Outcome> {
  const limits = `[limits]\nmemory_mb = ${memoryMb}\n\n[restart]\npolicy = "never"\n`;
  const hog = await neighbour(host, bench.folder, 'hog', 'hogs.py', limits);
  const rounds = Math.min(bench.rounds, 10);
  bench.say(`a memory hog, ${rounds} rounds`);
  const values: number[] = [];
  for (let round = 0; round < rounds; round++) {
    hog.reset();
    await hog.start();
    // Taken in a few ten milliseconds, which count here as well.
    values.push(await timeMs(() => hog.execute('run', { processes: 3, mb: 80 }).catch(() => undefined)));
    if (hog.lastExit?.kind !== 'memory') throw new Error(`The hog ended otherwise: ${hog.lastExit?.kind}`);
  }
  const worst = Math.max(...values);
  return {
    results: [
      { name: 'memory over its limit to its end', p50_ms: Math.round(median(values)), p99_ms: Math.round(worst) },
    ],
    goals: [{ text: 'memory over its limit to its end: at most 1,000 ms', value: worst, max: 1_000 }],
  };
}

/** One call after the other for so long. Microseconds of each. */
async function callsFor(plugin: Plugin, ms: number): Promise<number[]> {
  const values: number[] = [];
  const endsMs = performance.now() + ms;
  while (performance.now() < endsMs) values.push((await timeMs(() => plugin.execute('run', { text: 'x' }))) * 1000);
  return values;
}

/** Calls at a fixed pace for so long, so that one that waits does not hide the others that would have. Microseconds. */
async function pacedCalls(plugin: Plugin, ms: number): Promise<number[]> {
  const calls: Promise<number>[] = [];
  const startedMs = performance.now();
  for (let at = 0; at < ms; at += paceMs) {
    const dueMs = startedMs + at;
    await sleep(Math.max(0, dueMs - performance.now()));
    // From when it was due: a late timer is part of what the caller feels, and it feels it in the idle case too.
    calls.push(plugin.execute('run', { text: 'x' }).then(() => (performance.now() - dueMs) * 1000));
  }
  return await Promise.all(calls);
}
