// Takes some seconds: the shipped trigger plugins as real processes, over real files and the real time.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Host } from '@mmm/host';
import { confined } from '../support/confined.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { LogLines } from '../support/log-lines.ts';
import { shippedPlugin } from '../support/shipped-plugin.ts';
import { tempFolder } from '../support/temp-folder.ts';

interface Running {
  readonly host: Host;
  readonly log: LogLines;
  /** What the mapping passed on, from the `at`th call to the one after `count`. */
  told(at: number, count: number): Promise<readonly unknown[]>;
}

async function running(t: TestContext, name: string, trigger: string, text: string, folder?: string): Promise<Running> {
  const log = new LogLines();
  const settings = `
[[global_mappings]]
name = "told"
trigger = ${trigger}
action = { plugin = "says_calls", params = { text = "${text}" } }
`;
  const called = { behaviour: 'says-calls', name: 'says_calls' };
  const { host, directory } = await fixtureHost(t, [called], { settings, onLog: log.onLog });
  const source = await shippedPlugin(name, directory);
  if (folder !== undefined) {
    const manifest = join(source, 'plugin.toml');
    const own = `filesystem = [{ path = "${folder}", access = "read", reason = "The folder of a test" }]`;
    writeFileSync(manifest, readFileSync(manifest, 'utf8').replace(/^filesystem = .*$/m, own));
  }
  await host.sign(source);
  await host.install(source, folder === undefined ? {} : { grant: [`filesystem=read:${folder}`] });
  assert.deepEqual((await host.mappings.list()).mappings[0]?.problems, []);
  await host.mappings.run();
  return {
    host,
    log,
    told: async (at, count) => {
      const lines = await log.matching('says_calls', /^called /, at + count);
      return lines
        .slice(at, at + count)
        .map((line) => (JSON.parse(line.slice('called '.length)) as { input: { text: unknown } }).input.text);
    },
  };
}

async function armed({ host }: Running): Promise<void> {
  const plugin = await host.plugin('file_watch');
  const never = new AbortController();
  for await (const _state of plugin.changes(never.signal)) if (plugin.state.kind === 'running') break;
  // Its answer comes after that to `start_trigger`, which was sent before.
  while ((await host.mappings.list()).triggers[0]?.state !== 'armed') await plugin.ping();
}

test('a timer calls an action at each moment of its schedule', confined, async (t) => {
  const trigger = '{ plugin = "timer", trigger = "cron", config = { expression = "* * * * * *", data = "x" } }';
  const { told } = await running(t, 'timer', trigger, '{{event.data.data}} {{event.data.scheduled}}');
  const ticks = (await told(0, 2)).map((text) => String(text));
  const [first = 0, second = 0] = ticks.map((text) => Date.parse(text.replace(/^x /, '')));
  assert.equal(first % 1000, 0);
  assert.ok(second > first && (second - first) % 1000 === 0);
});

test(
  'a file that is created, changed, renamed and deleted is told, and one that is ignored is not',
  confined,
  async (t) => {
    const folder = join(tempFolder(t), 'watched');
    mkdirSync(join(folder, 'old'), { recursive: true });
    for (const path of [folder, join(folder, 'old')]) chmodSync(path, 0o755);
    writeFileSync(join(folder, 'old/there.txt'), 'before');
    const config = `{ path = "${folder}", debounce_ms = 20, ignore = ["*.tmp"] }`;
    const trigger = `{ plugin = "file_watch", config = ${config} }`;
    const run = await running(t, 'file_watch', trigger, '{{event.data.kind}} {{event.data.relative}}', folder);
    await armed(run);
    writeFileSync(join(folder, 'x.tmp'), 'ignored');
    writeFileSync(join(folder, 'a.txt'), 'one');
    assert.deepEqual(await run.told(0, 1), ['created a.txt']);
    writeFileSync(join(folder, 'a.txt'), 'longer');
    assert.deepEqual(await run.told(1, 1), ['changed a.txt']);
    renameSync(join(folder, 'a.txt'), join(folder, 'b.txt'));
    assert.deepEqual([...(await run.told(2, 2))].sort(), ['created b.txt', 'deleted a.txt']);
    mkdirSync(join(folder, 'new/deep'), { recursive: true });
    writeFileSync(join(folder, 'new/deep/c.txt'), 'c');
    assert.deepEqual(await run.told(4, 1), ['created new/deep/c.txt']);
    writeFileSync(join(folder, 'new/deep/d.txt'), 'd');
    assert.deepEqual(await run.told(5, 1), ['created new/deep/d.txt']);
    rmSync(join(folder, 'old'), { recursive: true });
    assert.deepEqual(await run.told(6, 1), ['deleted old/there.txt']);
  },
);

test(
  'what changes while the watch is dead is told when it lives again, and what it told before is not repeated',
  confined,
  async (t) => {
    const folder = join(tempFolder(t), 'watched');
    mkdirSync(folder);
    chmodSync(folder, 0o755);
    const trigger = `{ plugin = "file_watch", config = { path = "${folder}", debounce_ms = 20 } }`;
    const run = await running(t, 'file_watch', trigger, '{{event.data.kind}} {{event.data.name}}', folder);
    await armed(run);
    writeFileSync(join(folder, 'one'), '1');
    assert.deepEqual(await run.told(0, 1), ['created one']);
    process.kill((await run.host.plugin('file_watch')).pid ?? 0, 'SIGKILL');
    writeFileSync(join(folder, 'two'), '2');
    rmSync(join(folder, 'one'));
    assert.deepEqual([...(await run.told(1, 2))].sort(), ['created two', 'deleted one']);
    assert.equal((await run.host.events.list({ types: ['file_watch.*'] })).length, 3);
  },
);

test('three thousand files that appear at once are each told once', confined, async (t) => {
  const folder = join(tempFolder(t), 'watched');
  mkdirSync(folder);
  chmodSync(folder, 0o755);
  const trigger = `{ plugin = "file_watch", config = { path = "${folder}", debounce_ms = 20 } }`;
  const run = await running(t, 'file_watch', trigger, '{{event.data.name}}', folder);
  await armed(run);
  for (let number = 0; number < 3000; number += 1) writeFileSync(join(folder, `f${number}`), '');
  const names = new Set<unknown>();
  let events = 0;
  for await (const { data } of run.host.events.follow({ types: ['file_watch.created'], limit: 3000 })) {
    names.add((data as { name: unknown }).name);
    events += 1;
    if (names.size === 3000) break;
  }
  assert.equal(events, 3000);
});

test('a folder that was not granted is not there for the watch, and it says so', confined, async (t) => {
  const folder = tempFolder(t);
  const trigger = `{ plugin = "file_watch", config = { path = "${folder}" } }`;
  const { log } = await running(t, 'file_watch', trigger, 'x');
  await log.matching(
    'file_watch',
    /was not armed as .* is not there for this plugin: it does not exist, or was not granted/,
  );
});
