import { spawn } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { interleave, median, medianDifference, quantile, timeMs } from './measure.ts';
import { environment, program, repository } from './programs.ts';
import type { Bench, Outcome, Result } from './result.ts';

interface Start {
  readonly name: string;
  /** Index of the entry that it is compared with; its own for a base. */
  readonly base: number;
  readonly overheadMaxMs?: number;
  run(): Promise<void>;
}

/** How long the command takes, and a plugin on the SDK, over Node doing nothing. */
export async function coldStart(bench: Bench): Promise<Outcome> {
  const home = join(bench.folder, 'home');
  mkdirSync(home, { mode: 0o700 });
  const env = { ...environment, MMM_HOME: home, HOME: bench.folder };
  const mmm = join(repository, 'packages/cli/bin/mmm.cjs');
  const initialize = `${JSON.stringify({
    jsonrpc: '2.0',
    id: 0,
    method: 'initialize',
    params: {
      protocol: { version: 1, features: [] },
      host: { name: 'bench', version: '1.0.0' },
      plugin: { id: 'calculator', version: '1.0.0', directory: '/', data_directory: '/' },
      config: {},
      permissions: {},
      locale: 'en',
    },
  })}\n`;
  const starts: Start[] = [
    { name: 'node -e 0', base: 0, run: () => toExit(['-e', '0'], env) },
    { name: 'mmm --version', base: 0, overheadMaxMs: 60, run: () => toExit([mmm, '--version'], env) },
    { name: 'mmm plugin list', base: 0, overheadMaxMs: 120, run: () => toExit([mmm, 'plugin', 'list'], env) },
    {
      name: 'bare plugin, spawn to first answer',
      base: 3,
      run: () => toAnswer(program('echo-lines.cjs'), initialize),
    },
    {
      name: 'plugin on the SDK, spawn to first answer',
      base: 3,
      overheadMaxMs: 25,
      run: () => toAnswer(join(repository, 'build/plugins/calculator/dist/plugin.cjs'), initialize),
    },
  ];
  // The first run makes what later ones find: the home folder and the code cache.
  for (const { run } of starts) await run();
  bench.say(`cold starts, ${bench.rounds} rounds`);
  return compare(starts, await interleave(starts, bench.rounds, ({ run }) => timeMs(run)));
}

function compare(starts: readonly Start[], values: readonly (readonly number[])[]): Outcome {
  const overheadOf = (index: number, base: number) => medianDifference(values[index] ?? [], values[base] ?? []);
  return {
    results: starts.map(({ name, base }, index): Result => {
      const own = values[index] ?? [];
      const row = { name, p50_ms: round(median(own)), p99_ms: round(quantile(own, 0.99)) };
      return base === index ? row : { ...row, overhead_ms: round(overheadOf(index, base)) };
    }),
    goals: starts.flatMap(({ name, base, overheadMaxMs: max }, index) => {
      if (max === undefined) return [];
      return [{ text: `${name}: at most ${max} ms over ${starts[base]?.name}`, value: overheadOf(index, base), max }];
    }),
  };
}

async function toExit(args: readonly string[], env: Readonly<Record<string, string>>): Promise<void> {
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'inherit'] });
  const code = await new Promise((resolve) => child.once('exit', resolve));
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}.`);
}

async function toAnswer(file: string, message: string): Promise<void> {
  const child = spawn(process.execPath, [file], { env: environment, stdio: ['pipe', 'pipe', 'inherit'] });
  child.stdin.write(message);
  await new Promise((resolve) => child.stdout.once('data', resolve));
  child.stdin.destroy();
  child.kill();
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
