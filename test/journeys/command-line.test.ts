import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mmm } from '../support/cli.ts';
import { tempFolder } from '../support/temp-folder.ts';

test('usage errors exit 2 and say what is wrong, on stderr or as one JSON document', async (t) => {
  const home = join(tempFolder(t), 'home');
  const unknown = await mmm({ home }, 'plugin', 'instal', 'x');
  assert.equal(unknown.code, 2);
  assert.match(unknown.stderr, /error\[E0901\].*instal.*install/);
  assert.equal(unknown.stdout, '');
  const json = await mmm({ home }, 'plugin', 'exec', 'x', '--json');
  assert.equal(json.code, 2);
  assert.equal((json.json() as { error: { code: string } }).error.code, 'E0901');
  assert.equal((await mmm({ home }, 'plugin', 'exec', 'a', 'b', '--input', '{')).code, 2);
  assert.equal((await mmm({ home })).code, 2);
});

test('help and version exit 0', async (t) => {
  const home = join(tempFolder(t), 'home');
  assert.match((await mmm({ home }, '--version')).stdout, /^\d+\.\d+\.\d+\n$/);
  const help = await mmm({ home }, 'plugin', 'install', '--help');
  assert.equal(help.code, 0);
  assert.match(help.stdout, /--allow-unsigned/);
});

test('mmm help explains every error by number and by name', async (t) => {
  const home = join(tempFolder(t), 'home');
  assert.match((await mmm({ home }, 'help', 'E0112')).stdout, /CAPABILITY_NOT_FOUND[\s\S]*What to do/);
  assert.equal((await mmm({ home }, 'help', 'plugin_not_found', '--json')).json().code, 'E0110');
  assert.equal((await mmm({ home }, 'help', 'E9999')).code, 2);
  assert.match((await mmm({ home }, 'help')).stdout, /Errors:[\s\S]*E0101/);
});

test('a plugin nobody knows exits 5 with the nearest name', async (t) => {
  const home = join(tempFolder(t), 'home');
  const result = await mmm({ home }, 'plugin', 'info', 'calculatr', '--json');
  assert.equal(result.code, 5);
  assert.equal((result.json() as { error: { name: string } }).error.name, 'PLUGIN_NOT_FOUND');
});

test('keys are made once, listed, trusted and revoked', async (t) => {
  const home = join(tempFolder(t), 'home');
  const made = (await mmm({ home }, 'key', 'new', '--name', 'mine', '--json')).json();
  assert.equal((await mmm({ home }, 'key', 'new', '--name', 'mine')).code, 1);
  const other = (await mmm({ home: join(tempFolder(t), 'home') }, 'key', 'new', '--json')).json();
  const trusted = await mmm(
    { home },
    'key',
    'trust',
    String(other.public_key),
    '--name',
    'acme',
    '--scope',
    'acme/*',
    '--json',
  );
  assert.deepEqual(trusted.json().scopes, ['acme/*']);
  assert.equal((await mmm({ home }, 'key', 'trust', 'AAAA', '--name', 'bad', '--scope', '*')).code, 4);
  assert.equal((await mmm({ home }, 'key', 'trust', String(other.public_key), '--name', 'acme')).code, 2);
  const listed = (await mmm({ home }, 'key', 'list', '--json')).json() as {
    own: { keyid: string }[];
    trusted: { name: string }[];
  };
  assert.deepEqual(
    listed.own.map(({ keyid }) => keyid),
    [made.keyid],
  );
  assert.deepEqual(listed.trusted.map(({ name }) => name).sort(), ['acme', 'mine']);
  assert.equal((await mmm({ home }, 'key', 'revoke', 'acme')).code, 0);
  assert.match((await mmm({ home }, 'key', 'list')).stdout, /acme.*REVOKED/);
  assert.equal((await mmm({ home }, 'key', 'revoke', 'nobody')).code, 5);
});

test('doctor says what is wrong in a home others may write', async (t) => {
  const directory = tempFolder(t);
  const home = join(directory, 'home');
  const doctor = await mmm({ home }, 'doctor', '--json');
  assert.ok(doctor.code === 0 || doctor.code === 7);
  assert.equal((await mmm({ home }, 'key', 'new')).code, 0);
  chmodSync(home, 0o777);
  const refused = await mmm({ home }, 'plugin', 'list');
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /E0701.*chmod 0700/);
});
