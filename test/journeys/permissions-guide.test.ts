import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { policySection } from '../../packages/host/src/settings/policy.ts';
import { mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { copyFixture } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

const guide = readFileSync(join(import.meta.dirname, '../../docs/permissions.md'), 'utf8');

function snippets(language: string): string[] {
  return [...guide.matchAll(/^```(\w+)\n([\s\S]*?)^```$/gm)]
    .filter(([, name]) => name === language)
    .map(([, , code]) => code ?? '');
}

function manifest(name: string, version: string, more: string): string {
  const plugin = `[plugin]\nname = "${name}"\nversion = "${version}"\ndescription = "A fixture"\nlicense = "MIT"`;
  const run = 'command = ["node", "main.cjs"]\n[[capabilities]]\nkind = "tool"\nname = "run"';
  return `schema = 1\n${plugin}\n${run}\n${more}`;
}

test('the commands of the guide to permissions do what it says', confined, async (t) => {
  const directory = tempFolder(t);
  chmodSync(directory, 0o755);
  const home = join(directory, 'home');
  const at = { home, cwd: directory };
  assert.equal((await mmm(at, 'key', 'new')).code, 0);
  const sign = async (name: string): Promise<void> => {
    const { code, stderr } = await mmm(at, 'plugin', 'sign', name);
    assert.equal(code, 0, stderr);
  };
  const network = (host: string, more = ''): string => `[[permissions.network]]\nhost = "${host}"\n${more}`;
  const asks = `[[permissions.environment]]\nname = "LANG"\n${network('api.example.com', 'optional = true\n')}`;
  const second = manifest('fetcher', '2.0.0', `${asks}${network('telemetry.example.com')}`);
  renameSync(
    copyFixture({ behaviour: 'echo', name: 'fetcher', manifest: second }, directory),
    join(directory, 'fetcher-2'),
  );
  copyFixture({ behaviour: 'echo', name: 'fetcher', manifest: manifest('fetcher', '1.0.0', asks) }, directory);
  const [, , step = ''] = snippets('toml');
  copyFixture(
    { behaviour: 'prepares-itself', name: 'prepared', manifest: manifest('prepared', '1.0.0', step) },
    directory,
  );
  for (const name of ['fetcher', 'fetcher-2', 'prepared']) await sign(name);
  const lines = snippets('sh').flatMap((block) => block.split('\n').filter((line) => line.startsWith('mmm ')));
  assert.equal(lines.length, 11);
  for (const line of lines) {
    const [command = '', remark = ''] = line.split(/\s+# /);
    const { code, stderr, stdout } = await mmm(at, ...command.split(' ').slice(1));
    assert.equal(code, /exit code (\d)/.exec(remark)?.[1] === '3' ? 3 : 0, `${line}\n${stdout}${stderr}`);
  }
  const info = await mmm(at, 'plugin', 'info', 'fetcher', '--json');
  assert.equal(info.json().version, '2.0.0');
});

test('everything the guide asks for can be granted, in the words of a manifest', confined, async (t) => {
  const directory = tempFolder(t);
  const at = { home: join(tempFolder(t), 'home'), cwd: directory };
  assert.equal((await mmm(at, 'key', 'new')).code, 0);
  copyFixture({ behaviour: 'echo', manifest: manifest('echo', '1.0.0', snippets('toml')[0] ?? '') }, directory);
  assert.equal((await mmm(at, 'plugin', 'sign', 'echo')).code, 0);
  const installed = await mmm(at, 'plugin', 'install', 'echo', '--grant-requested', '--json');
  assert.equal(installed.code, 0, installed.stderr);
  assert.equal((installed.json().granted as string[]).length, 6);
});

test('a granted path that was replaced is refused in the words of the guide', confined, async (t) => {
  const directory = tempFolder(t);
  const at = { home: join(directory, 'home'), cwd: directory };
  const notes = join(directory, 'notes-folder');
  mkdirSync(notes);
  chmodSync(directory, 0o755);
  assert.equal((await mmm(at, 'key', 'new')).code, 0);
  const asks = `[[permissions.filesystem]]\npath = "${notes}"\naccess = "read"`;
  copyFixture({ behaviour: 'echo', name: 'notes', manifest: manifest('notes', '1.0.0', asks) }, directory);
  assert.equal((await mmm(at, 'plugin', 'sign', 'notes')).code, 0);
  assert.equal((await mmm(at, 'plugin', 'install', 'notes', '--grant-requested')).code, 0);
  assert.equal((await mmm(at, 'plugin', 'exec', 'notes', 'run')).code, 0);
  renameSync(notes, `${notes}.old`);
  mkdirSync(notes);
  const refused = await mmm(at, 'plugin', 'exec', 'notes', 'run');
  assert.equal(refused.code, 3);
  const [, said = ''] = /^```text\n[^\n]*\n([\s\S]*?)^```$/m.exec(guide) ?? [];
  const words = (text: string): string[] => text.split(/\s+/).filter((word) => word !== '');
  assert.deepEqual(
    words(refused.stderr).slice(0, words(said).length),
    words(said.replaceAll('/srv/notes', notes)),
    refused.stderr,
  );
  assert.equal((await mmm(at, 'plugin', 'grant', 'notes', `filesystem=read:${notes}`)).code, 0);
  assert.equal((await mmm(at, 'plugin', 'exec', 'notes', 'run')).code, 0);
});

test('the policy of the guide is one, and does what its remarks say', async (t) => {
  const directory = tempFolder(t);
  const home = join(directory, 'home');
  const at = { home, cwd: directory };
  assert.equal((await mmm(at, 'key', 'new')).code, 0);
  writeFileSync(join(home, 'config.toml'), snippets('toml')[1] ?? '', { mode: 0o600 });
  const hosts = ['api.test.org', 'a.example.com', 'telemetry.example.com'];
  const entries = hosts.map((host) => `[[permissions.network]]\nhost = "${host}"\n`).join('');
  copyFixture({ behaviour: 'echo', name: 'fetcher', manifest: manifest('fetcher', '1.0.0', entries) }, directory);
  assert.equal((await mmm(at, 'plugin', 'sign', 'fetcher')).code, 0);
  assert.equal((await mmm(at, 'plugin', 'install', 'fetcher')).code, 3);
  const { permissions } = (await mmm(at, 'plugin', 'permissions', 'fetcher', '--json')).json();
  assert.deepEqual(
    (permissions as { status: string; policy: string }[]).map(({ status, policy }) => [
      status,
      policy.split(' in ')[0],
    ]),
    [
      ['automatic', '`auto` ("network") of [policy]'],
      ['missing', '`ask` ("network=*.example.com:*") of [policy]'],
      ['automatic', '`auto` ("network=telemetry.example.com:443") of [policy.plugins.fetcher]'],
    ],
  );
  assert.match((await mmm(at, 'doctor')).stdout, /settings: .*config\.toml sets \[policy\]/);
});

test('the guide lists every key of the policy with the words of its schema', () => {
  for (const [key, field] of Object.entries(policySection.shape)) {
    assert.ok(guide.includes(`\n| \`${key}\` | ${field.description} |\n`), `${key}: ${field.description}`);
  }
});
