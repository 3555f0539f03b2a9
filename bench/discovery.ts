import { join } from 'node:path';
import { createHost } from '@mmm/host';
import { median, quantile, timeMs } from './measure.ts';
import type { Bench, Outcome } from './result.ts';
import { writePlugin } from './stage.ts';

const plugins = 1000;

/** Reads the manifests of a thousand plugins, nothing remembered. */
export async function discovery(bench: Bench): Promise<Outcome> {
  const directory = join(bench.folder, 'many');
  for (let index = 0; index < plugins; index++) writePlugin(join(directory, `p${index}`), `p${index}`);
  const host = await createHost({
    home: join(bench.folder, 'discovery'),
    searchPath: [{ directory, origin: 'user' }],
  });
  try {
    bench.say(`discovery of ${plugins} plugins`);
    const values: number[] = [];
    for (let round = 0; round < Math.max(3, bench.rounds / 3); round++) {
      values.push(
        await timeMs(async () => {
          const found = (await host.discover()).plugins.length;
          if (found !== plugins) throw new Error(`${found} of ${plugins} plugins were found.`);
        }),
      );
    }
    const p50 = median(values);
    return {
      results: [{ name: `discovery of ${plugins} plugins`, p50_ms: round(p50), p99_ms: round(quantile(values, 0.99)) }],
      goals: [{ text: `discovery of ${plugins} plugins: at most 150 ms`, value: p50, max: 150 }],
    };
  } finally {
    await host.close();
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
