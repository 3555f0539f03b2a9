import { join } from 'node:path';
import { createHost, type Host, signPlugin } from '@mmm/host';
import { interleave, median, quantile, timeMs } from './measure.ts';
import type { Bench, Goal, Outcome, Result } from './result.ts';
import { writePlugin } from './stage.ts';

const plugins = 1000;
const goalMs = 150;

interface Row {
  readonly name: string;
  run(): Promise<number>;
}

/**
 * A thousand plugins: folders seen for the first time with nothing remembered, the same folders by a host that has
 * nothing remembered but what lies in its home, and a thousand installed ones listed with trust and state.
 */
export async function discovery(bench: Bench): Promise<Outcome> {
  const directory = join(bench.folder, 'many');
  for (let index = 0; index < plugins; index++) writePlugin(join(directory, `p${index}`), `p${index}`);
  const openOn = (home: string): Promise<Host> =>
    createHost({ home: join(bench.folder, home), searchPath: [{ directory, origin: 'user' }] });
  bench.say(`${plugins} plugins are installed, which takes a while`);
  const installed = join(bench.folder, 'installed');
  await installAll(directory, installed);
  let homes = 0;
  const rows: Row[] = [
    { name: `first scan of ${plugins} plugins`, run: () => onHost(openOn(`first-${homes++}`), discoverAll) },
    { name: `later scan of ${plugins} plugins`, run: () => onHost(openOn('later'), discoverAll) },
    {
      name: `list of ${plugins} installed plugins`,
      run: () => onHost(createHost({ home: installed, searchPath: installedOnly(installed) }), listAll),
    },
  ];
  for (const { run } of rows) await run();
  bench.say(`discovery of ${plugins} plugins`);
  const values = await interleave(rows, Math.max(5, Math.round(bench.rounds / 3)), ({ run }) => run());
  const results = rows.map(({ name }, index): Result => {
    const own = values[index] ?? [];
    return { name, p50_ms: round(median(own)), p99_ms: round(quantile(own, 0.99)) };
  });
  const goals = rows.map(({ name }, index): Goal => {
    return { text: `${name}: at most ${goalMs} ms`, value: median(values[index] ?? []), max: goalMs };
  });
  return { results, goals };
}

function installedOnly(home: string) {
  return [{ directory: join(home, 'plugins'), origin: 'installed' as const }];
}

async function installAll(directory: string, home: string): Promise<void> {
  await onHost(createHost({ home, searchPath: installedOnly(home) }), async (host) => {
    const key = await host.keys.create('bench');
    await host.trust.add({ publicKey: key.publicKey, name: 'bench', role: 'publisher', scopes: ['*'] }, new Date());
    for (let index = 0; index < plugins; index++) {
      const folder = join(directory, `p${index}`);
      await signPlugin(folder, key);
      await host.install(folder);
    }
  });
}

async function discoverAll(host: Host): Promise<void> {
  expectAll((await host.discover()).plugins.length);
}

async function listAll(host: Host): Promise<void> {
  expectAll((await host.list()).length);
}

function expectAll(found: number): void {
  if (found !== plugins) throw new Error(`${found} of ${plugins} plugins were found.`);
}

/** The time of the work alone; opening the host and closing it are not part of it. */
async function onHost(opened: Promise<Host>, work: (host: Host) => Promise<void>): Promise<number> {
  const host = await opened;
  try {
    return await timeMs(() => work(host));
  } finally {
    await host.close();
  }
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
