import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundlePlugin } from '../support/bundle-plugin.ts';
import { mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { followReadme, python, runProgram, snippets } from '../support/documents.ts';
import { tempFolder } from '../support/temp-folder.ts';

test('the plugin and the host of the README work as they are written there', { ...confined, ...python }, async (t) => {
  const { home, last } = await followReadme(t);
  assert.equal(last, 'Hello, Ada!\n');
  const printed = runProgram(t, snippets('README.md', 'ts')[0] ?? '', home);
  assert.equal(printed, 'hello 1.0.0 stopped\nHello, Ada!\n');
});

test('the programs of the embedding guide work as they are written there', { ...confined, ...python }, async (t) => {
  const { home } = await followReadme(t);
  const [call = '', progress = '', watch = '', own = ''] = snippets('docs/embedding.md', 'ts');
  assert.equal(runProgram(t, call, home), 'Hello, Ada! true\n');
  assert.equal(runProgram(t, progress, home), 'Hello, Grace!\n');
  assert.match(runProgram(t, watch, home), /^(stopped\n)?starting\nrunning\n(draining\n)?(stopping\n)?stopped\n$/);
  assert.equal(runProgram(t, own, home), '1970\n');
});

test("the plugin and the test of the author's guide work as they are written there", confined, async (t) => {
  const document = 'docs/writing-a-plugin.md';
  const directory = tempFolder(t);
  const home = join(directory, 'home');
  const folder = join(directory, 'sdk_greeter');
  mkdirSync(folder);
  writeFileSync(join(folder, 'plugin.toml'), snippets(document, 'toml')[0] ?? '');
  await bundlePlugin(snippets(document, 'js')[0] ?? '', join(folder, 'main.cjs'));
  const type = async (...words: string[]): Promise<string> => {
    const result = await mmm({ home, cwd: directory }, ...words);
    assert.equal(result.code, 0, result.stderr);
    return result.stdout;
  };
  await type('key', 'new');
  await type('plugin', 'sign', folder);
  await type('plugin', 'install', folder);
  assert.equal(await type('plugin', 'exec', 'sdk_greeter', 'greet', '--input', '{"name":"Ada"}'), 'Hello, Ada!\n');
  assert.match(await type('plugin', 'logs', 'sdk_greeter'), /greeting/);
  assert.equal(runProgram(t, snippets(document, 'ts')[0] ?? '', home), 'ok\n');
});

test('a program of thirty lines has its own store, prompter and logger', confined, async (t) => {
  const [code = ''] = snippets('docs/writing-a-plugin.md', 'js').slice(1);
  const program = snippets('docs/embedding.md', 'ts').at(-1) ?? '';
  assert.ok(program.trimEnd().split('\n').length <= 31, program);
  const directory = tempFolder(t);
  const home = join(directory, 'home');
  const folder = join(directory, 'notebook');
  mkdirSync(folder);
  const head = 'version = "1.0.0"\ndescription = "Keeps notes"\nlicense = "MIT"\ncommand = ["node", "main.cjs"]\n';
  const rest = '[[capabilities]]\nkind = "tool"\nname = "note"\n\n[[permissions.state]]\nscope = "plugin"\n';
  writeFileSync(join(folder, 'plugin.toml'), `schema = 1\n\n[plugin]\nname = "notebook"\n${head}\n${rest}`);
  await bundlePlugin(code, join(folder, 'main.cjs'));
  for (const words of [
    ['key', 'new'],
    ['plugin', 'sign', folder],
    ['plugin', 'install', folder],
  ]) {
    const { code: exit, stderr } = await mmm({ home, cwd: directory }, ...words);
    assert.equal(exit, 0, stderr);
  }
  const printed = runProgram(t, program, home).split('\n');
  assert.ok(printed.includes('1 1'), printed.join('\n'));
  assert.ok(
    printed.includes('notebook says: a note of Ada, asked by notebook: Whose note is this?'),
    printed.join('\n'),
  );
});

test('the plugin and the host of the README are short', () => {
  for (const code of [snippets('README.md', 'python')[0], snippets('README.md', 'ts')[0]]) {
    assert.ok((code ?? '').trimEnd().split('\n').length <= 15, code);
  }
});
