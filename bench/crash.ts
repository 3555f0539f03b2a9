import type { Host } from '@mmm/host';
import { interleave, median, medianDifference, quantile, timeMs } from './measure.ts';
import type { Bench, Outcome } from './result.ts';
import { openHost } from './stage.ts';

/** From the death of the process under a call to the answer of its replay, against a call that starts the plugin. */
export async function crashRecovery(bench: Bench): Promise<Outcome> {
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
      const { pid } = plugin;
      if (pid === null) throw new Error('The plugin does not run.');
      return timeMs(async () => {
        process.kill(pid, 'SIGKILL');
        // The dying process may still answer what it had read already.
        do await call();
        while (plugin.pid === pid);
      });
    };
    bench.say(`crashes, ${bench.rounds} rounds`);
    const [freshMs = [], crashMs = []] = await interleave([fresh, crash], bench.rounds, (run) => run());
    const difference = medianDifference(crashMs, freshMs);
    const row = (name: string, values: readonly number[]) => {
      return { name, p50_ms: round(median(values)), p99_ms: round(quantile(values, 0.99)) };
    };
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

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
