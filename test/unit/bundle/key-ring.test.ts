import assert from 'node:assert/strict';
import { chmod, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { inspect } from 'node:util';
import { KeyRing, parsePublicKey, verifyStrict } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import { temporaryFolder } from '../../support/plugin-folder.ts';

test('makes a key that only its owner can read, and that signs', async (t) => {
  const directory = join(await temporaryFolder(t), 'home', 'keys');
  const ring = new KeyRing(directory);
  const key = await ring.create('work');
  assert.equal((await stat(join(directory, 'work.json'))).mode & 0o777, 0o600);
  assert.equal((await stat(directory)).mode & 0o777, 0o700);
  assert.deepEqual(await readdir(directory), ['work.json']);
  const message = Buffer.from('hello');
  assert.equal(await verifyStrict(message, key.sign(message), parsePublicKey(key.publicKey)), true);
  assert.equal((await ring.get()).keyid, key.keyid);
});

test('does not show a secret when a key is printed', async (t) => {
  const directory = await temporaryFolder(t);
  const key = await new KeyRing(directory).create('work');
  const { seed } = JSON.parse(await readFile(join(directory, 'work.json'), 'utf8'));
  assert.ok(!inspect(key, { depth: 9, showHidden: true }).includes(seed));
  assert.ok(!JSON.stringify(key).includes(seed));
});

test('never overwrites a key, even when two are made at once', async (t) => {
  const ring = new KeyRing(await temporaryFolder(t));
  const outcomes = await Promise.allSettled([ring.create('a'), ring.create('a'), ring.create('a')]);
  const made = outcomes.filter(({ status }) => status === 'fulfilled');
  assert.equal(made.length, 1);
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected') assert.ok(MmmError.is(outcome.reason, 'KEY_EXISTS'));
  }
  assert.equal((await ring.list()).length, 1);
});

test('takes the only key, or the one called default, when no name is given', async (t) => {
  const ring = new KeyRing(await temporaryFolder(t));
  assert.deepEqual(await ring.list(), []);
  await assert.rejects(ring.get(), (error) => MmmError.is(error, 'KEY_NOT_FOUND'));
  await ring.create('b');
  await ring.create('a');
  await assert.rejects(ring.get(), (error) => MmmError.is(error, 'KEY_NOT_FOUND') && error.data.known.join() === 'a,b');
  await ring.create('default');
  assert.equal((await ring.get()).name, 'default');
  await assert.rejects(ring.get('c'), (error) => MmmError.is(error, 'KEY_NOT_FOUND'));
});

test('refuses names that are no file names', async (t) => {
  const ring = new KeyRing(await temporaryFolder(t));
  for (const name of ['', '../x', 'A', 'a/b', '.', 'a.b', '-a', 'a'.repeat(65)]) {
    await assert.rejects(ring.create(name), (error) => MmmError.is(error, 'KEY_INVALID'));
  }
});

test('refuses a key file that others may read, a link, a damaged one and one under another name', async (t) => {
  const directory = await temporaryFolder(t);
  const ring = new KeyRing(directory);
  await ring.create('a');
  const text = await readFile(join(directory, 'a.json'), 'utf8');
  const isInvalid = (error: unknown) => MmmError.is(error, 'KEY_INVALID');
  await chmod(join(directory, 'a.json'), 0o640);
  await assert.rejects(ring.get('a'), /chmod 600/);
  await assert.rejects(ring.list(), isInvalid);
  await rm(join(directory, 'a.json'));
  await writeFile(join(directory, 'outside'), text, { mode: 0o600 });
  await symlink(join(directory, 'outside'), join(directory, 'a.json'));
  await assert.rejects(ring.get('a'), /symbolic link/);
  await rm(join(directory, 'a.json'));
  await mkdir(join(directory, 'a.json'));
  await assert.rejects(ring.get('a'), isInvalid);
  for (const [name, content] of [
    ['b', text],
    ['c', '{'],
    ['d', text.replace(/"seed": "./, '"seed": "=')],
  ] as const) {
    await writeFile(join(directory, `${name}.json`), content, { mode: 0o600 });
    await assert.rejects(ring.get(name), isInvalid);
  }
});

test('refuses a file whose public key does not belong to its secret', async (t) => {
  const directory = await temporaryFolder(t);
  const ring = new KeyRing(directory);
  const [a, b] = [await ring.create('a'), await ring.create('b')];
  const text = await readFile(join(directory, 'a.json'), 'utf8');
  await writeFile(join(directory, 'a.json'), text.replace(a.publicKey, b.publicKey));
  await assert.rejects(ring.get('a'), /does not belong/);
});
