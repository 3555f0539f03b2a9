import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createHost, signPlugin } from '@mmm/host';
import { median, quantile, timeMs } from './measure.ts';
import { program } from './programs.ts';
import type { Bench, Outcome } from './result.ts';

const manifest = `schema = 1

[plugin]
name = "rings"
version = "1.0.0"
description = "Tells an event when it is told to"
license = "MIT"
command = ["node", "main.cjs"]

[[capabilities]]
kind = "trigger"
name = "bell"

[[capabilities]]
kind = "tool"
name = "ring"

[[capabilities]]
kind = "tool"
name = "act"
`;

const settings = `[limits]
log_lines_per_second = 10000

[triggers.bench]
plugin = "rings"

[[global_mappings]]
name = "bench"
trigger = { instance = "bench" }
action = { plugin = "rings", capability = "act", params = { text = "{{event.data.next}}" } }
`;

/**
 * From the call that makes a plugin tell an event to the line that the action it leads to prints: two messages more
 * than from the event to the action alone. In between the event is brought to the disk.
 */
export async function trigger(bench: Bench): Promise<Outcome> {
  const home = join(bench.folder, 'home');
  const source = join(bench.folder, 'source');
  mkdirSync(home, { mode: 0o700 });
  mkdirSync(source);
  writeFileSync(join(home, 'config.toml'), settings, { mode: 0o600 });
  cpSync(program('rings.cjs'), join(source, 'main.cjs'));
  writeFileSync(join(source, 'plugin.toml'), manifest);
  let acted: () => void = () => undefined;
  const host = await createHost({ home, onLog: (_plugin, { message }) => message === 'acted' && acted() });
  try {
    const key = await host.keys.create('bench');
    await host.trust.add({ publicKey: key.publicKey, name: 'bench', role: 'publisher', scopes: ['*'] }, new Date());
    await signPlugin(source, key);
    await host.install(source);
    await host.mappings.run();
    const plugin = await host.plugin('rings');
    await plugin.start();
    while ((await host.mappings.list()).triggers[0]?.state !== 'armed') await plugin.ping();
    const rounds = bench.rounds * 10;
    bench.say(`triggers, ${rounds} events one after the other`);
    const times: number[] = [];
    for (let round = 0; round < rounds; round += 1) {
      const hasActed = new Promise<void>((resolve) => {
        acted = resolve;
      });
      const ms = await timeMs(async () => {
        await plugin.execute('ring', {});
        await hasActed;
      });
      // The first ones start what is started once.
      if (round >= rounds / 10) times.push(ms);
    }
    const p50 = median(times);
    const row = { name: 'trigger to action', p50_ms: round2(p50) };
    return {
      results: [{ ...row, p99_ms: round2(quantile(times, 0.99)) }],
      goals: [{ text: 'trigger to action: at most 5 ms', value: p50, max: 5 }],
    };
  } finally {
    await host.close();
  }
}

function round2(value: number): number {
  return Math.round(value * 100) / 100;
}
