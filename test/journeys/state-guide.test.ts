import assert from 'node:assert/strict';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundlePlugin } from '../support/bundle-plugin.ts';
import { mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { runProgram, snippets } from '../support/documents.ts';
import { tempFolder } from '../support/temp-folder.ts';

const head = `schema = 1

[plugin]
name = "visitors"
version = "1.0.0"
description = "Counts visits"
license = "MIT"
command = ["node", "main.cjs"]

[[capabilities]]
kind = "tool"
name = "visit"

`;

test('the guide to state and backups works as it is written there', confined, async (t) => {
  const document = 'docs/state.md';
  const directory = tempFolder(t);
  const home = join(directory, 'home');
  const folder = join(directory, 'visitors');
  mkdirSync(folder);
  writeFileSync(join(folder, 'plugin.toml'), head + (snippets(document, 'toml')[0] ?? ''));
  await bundlePlugin(snippets(document, 'js')[0] ?? '', join(folder, 'main.cjs'));
  const type = async (...words: string[]): Promise<string> => {
    const result = await mmm({ home, cwd: directory }, ...words);
    assert.equal(result.code, 0, `${words.join(' ')}\n${result.stderr}`);
    return result.stdout;
  };
  await type('key', 'new');
  await type('plugin', 'sign', folder);
  await type('plugin', 'install', folder);
  const visit = () => type('plugin', 'exec', 'visitors', 'visit', '--input', '{"name":"Ada"}');
  assert.equal(await visit(), '1\n');
  assert.equal(await visit(), '2\n');
  const outputs: string[] = [];
  for (const line of snippets(document, 'sh').flatMap((block) => block.trim().split('\n'))) {
    outputs.push(await type(...line.split(' ').slice(1)));
  }
  const [set = '', get = '', list = '', , , shared = '', made = '', restored = ''] = outputs;
  assert.match(set, /version 3/);
  assert.equal(get, '41\n');
  assert.match(list, /visits\/Ada +3/);
  assert.deepEqual(JSON.parse(shared), { key: 'theme', value: 'dark', version: 1 });
  assert.match(made, /home\.backup .*keys and secrets/);
  assert.match(restored, /what was revoked since stays revoked/);
  assert.ok(existsSync(join(directory, 'restored', 'state.db')));
  const there = await mmm({ home: join(directory, 'restored') }, 'state', 'get', '--global', 'theme');
  assert.equal(there.stdout, 'dark\n');
  assert.equal(runProgram(t, snippets(document, 'ts')[0] ?? '', home), 'it has version 1\n');
});
