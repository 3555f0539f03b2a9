import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { followReadme, python, runProgram, snippets } from '../support/documents.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { parsePrometheus } from '../support/prometheus-parser.ts';
import { tempFolder } from '../support/temp-folder.ts';

test('the operating guide works as it is written there', { ...confined, ...python }, async (t) => {
  const { home } = await followReadme(t);
  const outputs: string[] = [];
  const commands = snippets('docs/operating.md', 'sh').flatMap((block) => block.split('\n'));
  for (const line of commands.filter((command) => command.startsWith('mmm '))) {
    const words = line.replace(/ +#.*$/, '').split(' ');
    const { code, stdout, stderr } = await mmm({ home }, ...words.slice(1));
    assert.equal(code, 0, `${line}\n${stderr}`);
    outputs.push(stdout);
  }
  const [table = '', detail = '', json = '', doctor = '', prometheus = ''] = outputs;
  assert.match(table, /^NAME +STATE +CALLS .*\nhello +stopped +1 +0 /);
  assert.match(detail, /^hello\n {2}state +stopped\n {2}calls +1, 0 failed, /);
  assert.match(detail, /received +\d+ B in 3 messages/);
  assert.match(detail, /exits +requested:1/);
  const [plugin] = (JSON.parse(json) as { plugins: Record<string, unknown>[] }).plugins;
  assert.deepEqual(plugin?.restarts, {});
  assert.equal((plugin?.now as { in_flight: number } | undefined)?.in_flight, 0);
  assert.match(doctor, /✓ content: every byte/);
  assert.match(doctor, /How it ended, once:\n .*requested: it was stopped by the host/);
  assert.equal(parsePrometheus(prometheus).get('mmm_plugin_starts_total')?.samples[0]?.value, 1);
  const settings = snippets('docs/operating.md', 'toml').slice(1).join('\n');
  assert.match(settings, /^\[metrics\][\s\S]*\n\[logs\]/);
  writeFileSync(join(home, 'config.toml'), settings, { mode: 0o600 });
  const [serve = '', trace = ''] = snippets('docs/operating.md', 'ts');
  assert.equal(runProgram(t, serve, home), 'mmm_plugin_calls_total{plugin="hello",outcome="ok"} 1\n');
  assert.equal(runProgram(t, trace, home), 'Hello, Ada!\n');
});

test('the dependency of the guide is explained wherever somebody looks for it', {
  ...confined,
  ...python,
}, async (t) => {
  const { home } = await followReadme(t);
  const folder = join(tempFolder(t), 'politely');
  mkdirSync(folder);
  writeFileSync(join(folder, 'main.py'), snippets('README.md', 'python')[0] ?? '');
  const manifest = (snippets('README.md', 'toml')[0] ?? '').replace('name = "hello"', 'name = "politely"');
  const [needs = ''] = snippets('docs/operating.md', 'toml');
  writeFileSync(join(folder, 'plugin.toml'), `${manifest}\n${needs}`);
  const type = (...words: string[]) => mmm({ home }, 'plugin', ...words);
  for (const word of ['sign', 'install']) assert.equal((await type(word, folder)).code, 0);
  const greet = () => type('exec', 'politely', 'greet', '--input', '{"name":"Ada"}');
  assert.equal((await greet()).stdout, 'Hello, Ada!\n');
  assert.equal((await type('remove', 'hello')).code, 0);
  const sentence = /"politely" needs "hello" \^1\.0\.0, and there is no plugin "hello"/;
  const refused = await greet();
  assert.equal(refused.code, 5);
  assert.match(refused.stderr, sentence);
  assert.match((await type('list')).stdout, /politely +1\.0\.0 +needs hello/);
  assert.match((await type('info', 'politely')).stdout, sentence);
  const doctor = await type('doctor', 'politely');
  assert.equal(doctor.code, 7);
  assert.match(doctor.stdout, sentence);
  assert.match((await mmm({ home }, 'doctor')).stdout, sentence);
});

test(
  'a plugin that another program runs is shown with its memory, its processor time and its pid',
  confined,
  async (t) => {
    const { host, home } = await fixtureHost(t, ['echo']);
    const plugin = await host.plugin('echo');
    await plugin.start();
    const { stdout } = await mmm({ home }, 'plugin', 'stats', '--json');
    const [shown] = (JSON.parse(stdout) as { plugins: { now: Record<string, unknown> }[] }).plugins;
    assert.deepEqual(shown?.now.pids, [plugin.pid]);
    assert.ok(Number(shown?.now.memory_bytes) > 10_000_000);
    assert.match((await mmm({ home }, 'plugin', 'stats')).stdout, /\necho +elsewhere .* MB +\d+\.\d\d s\n$/);
    // Looking must not end what another host runs.
    assert.ok(existsSync(`/proc/${plugin.pid}`));
    assert.equal(plugin.state.kind, 'running');
  },
);

test('five ends are shown with their causes, what was printed and what to do', confined, async (t) => {
  const { host, home } = await fixtureHost(t, ['crashes-on-execute']);
  const plugin = await host.plugin('crashes_on_execute');
  for (let code = 1; code <= 6; code += 1) {
    plugin.reset();
    await assert.rejects(plugin.execute('run', { code }));
  }
  await host.close();
  const doctor = await mmm({ home }, 'plugin', 'doctor', 'crashes_on_execute');
  const ends = [...doctor.stdout.matchAll(/ {2}exit: it exited with code (\d)/g)].map(([, code]) => Number(code));
  assert.deepEqual(ends, [6, 5, 4, 3, 2]);
  assert.equal(doctor.stdout.match(/ {4}\| about to exit/g)?.length, 5);
  assert.equal(doctor.stdout.match(/ {4}Read the lines it printed; `mmm plugin logs crashes_on_execute`/g)?.length, 5);
  const stats = (await mmm({ home }, 'plugin', 'stats', 'crashes_on_execute', '--json')).json();
  assert.deepEqual((stats.plugins as { restarts: unknown }[])[0]?.restarts, { exit: 5 });
});

test('--prometheus takes neither a plugin nor --json', async (t) => {
  const home = join(tempFolder(t), 'home');
  for (const more of [['hello'], ['--json']]) {
    const { code, stdout, stderr } = await mmm({ home }, 'plugin', 'stats', '--prometheus', ...more);
    assert.equal(code, 2);
    assert.match(stdout + stderr, /--prometheus prints the metrics of all plugins/);
  }
});
