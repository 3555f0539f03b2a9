import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createHost } from '@mmm/host';
import { deviceEvents } from '../../packages/host/src/mappings/device-events.ts';
import { bundlePlugin } from '../support/bundle-plugin.ts';
import { mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { followReadme, python, runProgram, snippets } from '../support/documents.ts';
import { LogLines } from '../support/log-lines.ts';
import { shippedPlugin } from '../support/shipped-plugin.ts';
import { tempFolder } from '../support/temp-folder.ts';

const document = 'docs/triggers.md';
const [mapped = '', named = '', doorbell = ''] = snippets(document, 'toml');

test('the guide to triggers and mappings works as it is written there', { ...confined, ...python }, async (t) => {
  const { home } = await followReadme(t);
  const timer = await shippedPlugin('timer', tempFolder(t));
  for (const verb of ['sign', 'install']) assert.equal((await mmm({ home }, 'plugin', verb, timer)).code, 0);
  writeFileSync(join(home, 'config.toml'), mapped, { mode: 0o600 });
  const outputs: string[] = [];
  for (const line of snippets(document, 'sh').flatMap((block) => block.split('\n'))) {
    const words = (line.match(/'[^']*'|\S+/g) ?? []).map((word) => word.replace(/^'|'$/g, ''));
    if (words.length === 0) continue;
    const { code, stdout, stderr } = await mmm({ home }, ...words.slice(1));
    assert.equal(code, 0, `${line}\n${stderr}`);
    outputs.push(stdout);
  }
  const [list = '', pad = '', soft = '', fired = '', ...modes] = outputs;
  assert.match(list, /Modes: Day \(in force\), Night/);
  assert.match(list, /on +morning +Day +timer cron .* hello greet/);
  assert.match(list, /on +pad +Day +Note note=1 velocity_min=60/);
  assert.match(pad, /pad: calls hello greet with \{"name":"pad 1 at 60"\}/);
  assert.equal(soft, 'No mapping is for this event.\n');
  assert.match(fired, /^pad: "Hello, pad 1 at 99!" \(\d+/);
  assert.deepEqual(modes, ['The mode in force is Night.\n', 'Night\n']);
  assert.equal(runProgram(t, snippets(document, 'ts')[0] ?? '', home), 'true Hello, pad 1 at 80!\n');
  writeFileSync(join(home, 'config.toml'), named, { mode: 0o600 });
  const { stdout } = await mmm({ home }, 'mapping', 'list', '--json');
  const { mappings, triggers } = JSON.parse(stdout) as { mappings: unknown[]; triggers: { instance: string }[] };
  assert.equal(mappings.length, 1);
  assert.equal(triggers[0]?.instance, 'nightly');
});

test('what is wrong with a mapping is said with its place and what was meant', {
  ...confined,
  ...python,
}, async (t) => {
  const { home } = await followReadme(t);
  const at = join(home, 'config.toml');
  const wrong = mapped
    .replaceAll('plugin = "hello"', 'plugin = "helo"')
    .replace('trigger = "cron"', 'trigger = "corn"');
  writeFileSync(at, wrong, { mode: 0o600 });
  const first = await mmm({ home }, 'mapping', 'list');
  assert.equal(first.code, 7);
  assert.match(first.stdout, /config\.toml:7:22: .*trigger\.plugin names "timer", which is not installed/);
  assert.match(first.stdout, /config\.toml:8:21: .*action\.plugin names "helo".*did you mean "hello"\?/);
  writeFileSync(at, mapped.replace('params = { name =', 'params = { nme ='), { mode: 0o600 });
  const second = await mmm({ home }, 'mapping', 'list');
  assert.match(second.stdout, /config\.toml:8:\d+: .*params\.name is required/);
  writeFileSync(at, mapped.replace('capability = "greet"', 'capability = "gret"'), { mode: 0o600 });
  const third = await mmm({ home }, 'mapping', 'list');
  assert.match(third.stdout, /config\.toml:8:\d+: .*action\.capability .*greet/);
  writeFileSync(at, mapped.replace('velocity_min', 'velocty_min'), { mode: 0o600 });
  const fourth = await mmm({ home }, 'mapping', 'list');
  assert.equal(fourth.code, 2);
  assert.match(fourth.stderr, /config\.toml:15:1: .*velocty_min is not a known key; did you mean "velocity_min"\?/);
  for (const words of [
    ['test', 'pda'],
    ['fire', 'pda'],
    ['mode', 'Nihgt'],
  ]) {
    writeFileSync(at, mapped, { mode: 0o600 });
    assert.match((await mmm({ home }, 'mapping', ...words)).stderr, /Did you mean "(pad|Night)"\?/, words.join(' '));
  }
});

test('the trigger of the guide tells its events', confined, async (t) => {
  const directory = tempFolder(t);
  const home = join(directory, 'home');
  const folder = join(directory, 'doorbell');
  mkdirSync(folder);
  writeFileSync(join(folder, 'plugin.toml'), doorbell);
  await bundlePlugin(snippets(document, 'js')[0] ?? '', join(folder, 'main.cjs'));
  assert.equal((await mmm({ home }, 'key', 'new')).code, 0);
  for (const verb of ['sign', 'install']) assert.equal((await mmm({ home }, 'plugin', verb, folder)).code, 0);
  const trigger = '[triggers.door]\nplugin = "doorbell"\nconfig = { every_ms = 20 }\n';
  writeFileSync(join(home, 'config.toml'), trigger, { mode: 0o600 });
  const log = new LogLines();
  const host = await createHost({ home, onLog: log.onLog });
  t.after(() => host.close());
  await host.mappings.run();
  const counts: unknown[] = [];
  for await (const { data } of host.events.follow({ types: ['doorbell.rang'] })) {
    counts.push((data as { count: unknown }).count);
    if (counts.length === 3) break;
  }
  // Before its folder is removed: it rings on.
  await host.close();
  assert.deepEqual(counts, [1, 2, 3]);
});

test('the guide names every device event with its fields', () => {
  const text = readFileSync(join(import.meta.dirname, '..', '..', document), 'utf8');
  for (const [name, { fields }] of Object.entries(deviceEvents)) {
    const [, listed = ''] = new RegExp(`\`${name}\` \\(([^)]*)\\)`).exec(text) ?? [];
    const expected = Object.keys(fields).filter((field) => field !== 'channel' || name === 'Note');
    assert.deepEqual(listed.split(', '), expected, name);
  }
});
