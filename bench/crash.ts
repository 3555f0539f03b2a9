import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Host, type Plugin, systemClock } from '@mmm/host';
import { interleave, median, medianDifference, quantile, timeMs } from './measure.ts';
import type { Bench, Outcome, Result } from './result.ts';
import { openHost } from './stage.ts';

/** What a crash costs: the next answer without and with a spare ready, and the end of the calls under way. */
export async function crashRecovery(bench: Bench): Promise<Outcome> {
  const outcomes: Outcome[] = [];
  for (const [name, measure] of Object.entries({ cold, standby, settling })) {
    const folder = join(bench.folder, name);
    mkdirSync(folder);
    outcomes.push(await measure({ ...bench, folder }));
  }
  return { results: outcomes.flatMap(({ results }) => results), goals: outcomes.flatMap(({ goals }) => goals) };
}

/** From the death of the process to the next answer, against a call that starts the plugin. */
async function cold(bench: Bench): Promise<Outcome> {
  const host: Host = await openHost(bench.folder, true);
  try {
    const plugin = await host.plugin('echo');
    const call = () => plugin.execute('run', { text: 'x' });
    await call();
    const fresh = async () => {
      await plugin.stop();
      return timeMs(call);
    };
    const crash = async () => {
      // Forgets the crashes before, so that no backoff is measured.
      plugin.reset();
      await call();
      return await crashToAnswer(plugin, call);
    };
    bench.say(`crashes, ${bench.rounds} rounds`);
    const [freshMs = [], crashMs = []] = await interleave([fresh, crash], bench.rounds, (run) => run());
    const difference = medianDifference(crashMs, freshMs);
    return {
      results: [
        row('fresh spawn to first answer', freshMs),
        { ...row('crash to next answer', crashMs), overhead_ms: round(difference) },
      ],
      goals: [{ text: 'crash to next answer: at most 10 ms longer than a fresh spawn', value: difference, max: 10 }],
    };
  } finally {
    await host.close();
  }
}

/** The same with a spare that answered initialize. */
async function standby(bench: Bench): Promise<Outcome> {
  let onReady: () => void = () => undefined;
  const host = await openHost(bench.folder, true, {
    settings: '[supervision]\nstandby = "initialized"\n',
    onLog: (_plugin, { message }) => {
      if (message === 'a spare process is ready') onReady();
    },
  });
  // The timer of a spare keeps no program alive.
  const alive = systemClock.after(bench.rounds * 60_000, () => undefined);
  try {
    const isReady = () => {
      return new Promise<void>((resolve) => {
        onReady = resolve;
      });
    };
    let ready = isReady();
    const plugin = await host.plugin('echo');
    const call = () => plugin.execute('run', { text: 'x' });
    bench.say(`crashes with a spare, ${bench.rounds} rounds of a second`);
    const times: number[] = [];
    await ready;
    for (let count = 0; count < bench.rounds; count += 1) {
      // Forgets the crashes before: the next spare comes sooner.
      plugin.reset();
      ready = isReady();
      await call();
      await ready;
      times.push(await crashToAnswer(plugin, call));
    }
    return {
      results: [row('crash to next answer, with a spare', times)],
      goals: [{ text: 'crash to next answer with a spare: at most 10 ms', value: median(times), max: 10 }],
    };
  } finally {
    alive.cancel();
    await host.close();
  }
}

const inFlight = 64;

/** From the death of the process to the moment when the last of its calls was told the cause and the last line. */
async function settling(bench: Bench): Promise<Outcome> {
  const host = await openHost(bench.folder, true, {
    settings: '[supervision]\ncrashes_max = 0\nbackoff_max_s = 0.01\n',
    program: 'holds-calls.cjs',
  });
  try {
    const plugin = await host.plugin('echo');
    bench.say(`calls that are cut off, ${bench.rounds} rounds`);
    const times: number[] = [];
    for (let count = 0; count < bench.rounds; count += 1) {
      let begun = 0;
      let onBegun: () => void = () => undefined;
      const allBegun = new Promise<void>((resolve) => {
        onBegun = resolve;
      });
      const onProgress = (): void => {
        begun += 1;
        if (begun === inFlight) onBegun();
      };
      const calls = Array.from({ length: inFlight }, () =>
        plugin.execute('once', { text: 'x' }, { onProgress }).then(
          () => 'answered',
          (error: unknown) => String(error),
        ),
      );
      await allBegun;
      const ended = await timeMs(async () => {
        process.kill(pidOf(plugin), 'SIGKILL');
        for (const told of await Promise.all(calls)) {
          if (!/was ended by SIGKILL[\s\S]*working on \d+/.test(told)) throw new Error(`A call was told: ${told}`);
        }
      });
      times.push(ended);
    }
    return {
      results: [row(`${inFlight} calls in flight settled after the exit`, times)],
      goals: [{ text: 'calls in flight settled after the exit: at most 100 ms', value: Math.max(...times), max: 100 }],
    };
  } finally {
    await host.close();
  }
}

async function crashToAnswer(plugin: Plugin, call: () => Promise<unknown>): Promise<number> {
  const pid = pidOf(plugin);
  return await timeMs(async () => {
    process.kill(pid, 'SIGKILL');
    // The dying process may still answer what it had read already.
    do await call();
    while (plugin.pid === pid);
  });
}

function pidOf({ pid }: Plugin): number {
  if (pid === null) throw new Error('The plugin does not run.');
  return pid;
}

function row(name: string, values: readonly number[]): Result {
  return { name, p50_ms: round(median(values)), p99_ms: round(quantile(values, 0.99)) };
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
