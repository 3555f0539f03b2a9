import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { removeTree } from '../../scripts/remove-tree.ts';
import { mmm } from './cli.ts';
import { tempFolder } from './temp-folder.ts';

const repository = join(import.meta.dirname, '..', '..');
export const python: { readonly skip?: string } =
  existsSync('/usr/bin/python3') || existsSync('/usr/local/bin/python3') ? {} : { skip: 'python3 is not installed' };

/** The code blocks of one language in a document, in order. */
export function snippets(document: string, language: string): string[] {
  const text = readFileSync(join(repository, document), 'utf8');
  return [...text.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , code]) => code ?? '');
}

/** Does what the README says: writes the plugin, then types the commands. Returns the home and the last output. */
export async function followReadme(t: TestContext): Promise<{ home: string; last: string }> {
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
export function runProgram(t: TestContext, code: string, home: string): string {
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
