import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { tempFolder } from '../support/temp-folder.ts';

const repository = join(import.meta.dirname, '..', '..');
const readme = readFileSync(join(repository, 'README.md'), 'utf8');

/** The code blocks of one language, in order. */
function snippets(language: string): string[] {
  return [...readme.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , code]) => code ?? '');
}

const python =
  existsSync('/usr/bin/python3') || existsSync('/usr/local/bin/python3') ? {} : { skip: 'python3 is not installed' };

test('the plugin and the host of the README work as they are written there', { ...confined, ...python }, async (t) => {
  const directory = tempFolder(t);
  const home = join(directory, 'home');
  mkdirSync(join(directory, 'hello'));
  writeFileSync(join(directory, 'hello', 'main.py'), snippets('python')[0] ?? '');
  writeFileSync(join(directory, 'hello', 'plugin.toml'), snippets('toml')[0] ?? '');
  const lines = snippets('sh')
    .flatMap((block) => block.split('\n'))
    .filter((line) => line.startsWith('mmm '));
  let last = '';
  for (const line of lines) {
    const words = line.match(/'[^']*'|\S+/g)?.map((word) => word.replace(/^'|'$/g, '')) ?? [];
    const result = await mmm({ home, cwd: directory }, ...words.slice(1));
    assert.equal(result.code, 0, `${line}\n${result.stderr}`);
    last = result.stdout;
  }
  assert.equal(last, 'Hello, Ada!\n');

  // Where `@mmm/host` resolves: inside the repository, in a folder that is not tracked.
  const place = join(repository, 'build', `readme-${process.pid}`);
  mkdirSync(place, { recursive: true });
  t.after(() => rmSync(place, { recursive: true, force: true }));
  writeFileSync(join(place, 'host.ts'), (snippets('ts')[0] ?? '').replace('/var/lib/my-program/mmm', home));
  const ran = spawnSync(process.execPath, ['--import', 'tsx', '--conditions=mmm-source', join(place, 'host.ts')], {
    encoding: 'utf8',
    cwd: repository,
  });
  assert.equal(ran.status, 0, ran.stderr);
  assert.equal(ran.stdout, 'hello 1.0.0 stopped\nHello, Ada!\n');
});

test('the plugin and the host of the README are short', () => {
  for (const code of [snippets('python')[0], snippets('ts')[0]]) {
    assert.ok((code ?? '').trimEnd().split('\n').length <= 15, code);
  }
});
