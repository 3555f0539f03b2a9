import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { removeTree } from '../../scripts/remove-tree.ts';
import { bundlePlugin } from '../support/bundle-plugin.ts';
import { mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { tempFolder } from '../support/temp-folder.ts';

const repository = join(import.meta.dirname, '..', '..');
const python =
  existsSync('/usr/bin/python3') || existsSync('/usr/local/bin/python3') ? {} : { skip: 'python3 is not installed' };

/** The code blocks of one language in a document, in order. */
function snippets(document: string, language: string): string[] {
  const text = readFileSync(join(repository, document), 'utf8');
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , code]) => code ?? '');
}

/** Does what the README says: writes the plugin, then types the commands. Returns the home and the last output. */
async function followReadme(t: TestContext): Promise<{ home: string; last: string }> {
  const directory = tempFolder(t);
  const home = join(directory, 'home');
  mkdirSync(join(directory, 'hello'));
  writeFileSync(join(directory, 'hello', 'main.py'), snippets('README.md', 'python')[0] ?? '');
  writeFileSync(join(directory, 'hello', 'plugin.toml'), snippets('README.md', 'toml')[0] ?? '');
  const lines = snippets('README.md', 'sh')
    .flatMap((block) => block.split('\n'))
    .filter((line) => line.startsWith('mmm '));
  let last = '';
  for (const line of lines) {
    const words = line.match(/'[^']*'|\S+/g)?.map((word) => word.replace(/^'|'$/g, '')) ?? [];
    const result = await mmm({ home, cwd: directory }, ...words.slice(1));
    assert.equal(result.code, 0, `${line}\n${result.stderr}`);
    last = result.stdout;
  }
  return { home, last };
}

/** Runs a program of a document as it stands there, on the given home. Returns what it printed. */
function runProgram(t: TestContext, code: string, home: string): string {
  // Where the packages resolve: inside the repository, in a folder that is not tracked.
  const place = join(repository, 'build', `document-${process.pid}`);
  mkdirSync(place, { recursive: true });
  t.after(() => removeTree(place));
  writeFileSync(join(place, 'program.ts'), code.replaceAll('/var/lib/my-program/mmm', home));
  const ran = spawnSync(process.execPath, ['--import', 'tsx', '--conditions=mmm-source', join(place, 'program.ts')], {
    encoding: 'utf8',
    cwd: repository,
    timeout: 60_000,
  });
  assert.equal(ran.status, 0, ran.stderr);
  return ran.stdout;
}

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

test('the plugin and the host of the README are short', () => {
  for (const code of [snippets('README.md', 'python')[0], snippets('README.md', 'ts')[0]]) {
    assert.ok((code ?? '').trimEnd().split('\n').length <= 15, code);
  }
});
