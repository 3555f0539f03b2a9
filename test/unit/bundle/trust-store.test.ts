import assert from 'node:assert/strict';
import { chmod, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { KeyRing, scopeCovers, TrustStore } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import { now, temporaryFolder } from '../../support/plugin-folder.ts';

const keys = [
  'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
  '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
  'fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025',
].map((hex) => Buffer.from(hex, 'hex').toString('base64'));
const [first = '', second = '', third = ''] = keys;
const publisher = (publicKey: string, name: string, scopes: readonly string[] = ['*']) =>
  ({ publicKey, name, role: 'publisher', scopes }) as const;

test('trusts nobody at first', async (t) => {
  const file = join(await temporaryFolder(t), 'trust.json');
  const trust = await TrustStore.open(file);
  assert.deepEqual([trust.revision, trust.list()], [0, []]);
});

test('keeps keys in a file of its owner, and counts each change', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'home', 'trust.json');
  const trust = await TrustStore.open(file);
  const key = await trust.add(publisher(first, 'acme', ['acme/*']), now);
  await trust.add({ ...publisher(second, 'other'), notAfter: '2027-01-01T00:00:00Z' }, now);
  assert.equal(trust.revision, 2);
  assert.equal((await stat(file)).mode & 0o777, 0o600);
  assert.deepEqual(await readdir(join(folder, 'home')), ['trust.json']);
  const again = await TrustStore.open(file);
  assert.deepEqual(again.list(), trust.list());
  assert.deepEqual(again.find(key.keyid), key);
  assert.equal(key.addedAt, now.toISOString());
});

test('replaces what a known key is trusted for', async (t) => {
  const trust = await TrustStore.open(join(await temporaryFolder(t), 'trust.json'));
  await trust.add(publisher(first, 'acme', ['acme/*']), now);
  await trust.add(publisher(first, 'acme', ['acme/one']), now);
  assert.deepEqual(
    trust.list().map(({ scopes }) => scopes),
    [['acme/one']],
  );
});

test('revokes by name or id for ever', async (t) => {
  const file = join(await temporaryFolder(t), 'trust.json');
  const trust = await TrustStore.open(file);
  const { keyid } = await trust.add(publisher(first, 'acme'), now);
  const revoked = await trust.revoke('acme', 'stolen', now);
  assert.deepEqual(revoked.revoked, { at: now.toISOString(), reason: 'stolen' });
  assert.equal((await trust.revoke(keyid, 'again', now)).revoked?.reason, 'stolen');
  assert.equal(trust.revision, 2);
  await assert.rejects(trust.add(publisher(first, 'acme'), now), (error) => MmmError.is(error, 'KEY_REVOKED'));
  assert.equal((await TrustStore.open(file)).find(keyid)?.revoked?.reason, 'stolen');
  await assert.rejects(trust.revoke('nobody', '', now), (error) => MmmError.is(error, 'KEY_NOT_FOUND'));
});

test('refuses weak keys, bad scopes, bad dates and taken names', async (t) => {
  const trust = await TrustStore.open(join(await temporaryFolder(t), 'trust.json'));
  const isInvalid = (error: unknown) => MmmError.is(error, 'KEY_INVALID');
  await assert.rejects(trust.add(publisher(`AQ${'A'.repeat(41)}=`, 'weak'), now), isInvalid);
  await assert.rejects(trust.add(publisher(first.slice(1), 'short'), now), isInvalid);
  for (const scopes of [[], ['acme*'], ['**'], ['acme/*/x'], ['/*'], ['']]) {
    await assert.rejects(trust.add(publisher(first, 'acme', scopes), now), isInvalid);
  }
  await assert.rejects(trust.add({ ...publisher(first, 'acme'), notAfter: 'tomorrow' }, now), isInvalid);
  await assert.rejects(trust.add(publisher(first, 'a\u001b[2J'), now), isInvalid);
  await trust.add(publisher(first, 'acme'), now);
  await assert.rejects(trust.add(publisher(second, 'acme'), now), (error) => MmmError.is(error, 'KEY_EXISTS'));
  assert.equal(trust.revision, 1);
});

test('loses no change of two stores on one file, and sees the other one after a refresh', async (t) => {
  const file = join(await temporaryFolder(t), 'trust.json');
  const [a, b] = [await TrustStore.open(file), await TrustStore.open(file)];
  await Promise.all([
    a.add(publisher(first, 'one'), now),
    b.add(publisher(second, 'two'), now),
    a.add(publisher(third, 'three'), now),
  ]);
  await b.revoke('one', 'stolen', now);
  a.refresh();
  assert.equal(a.revision, 4);
  assert.deepEqual(
    a
      .list()
      .map(({ name }) => name)
      .sort(),
    ['one', 'three', 'two'],
  );
  assert.equal(a.list().find(({ name }) => name === 'one')?.revoked?.reason, 'stolen');
});

test('takes over the lock of a process that died', async (t) => {
  const file = join(await temporaryFolder(t), 'trust.json');
  // Above the largest process number Linux gives.
  await writeFile(`${file}.lock`, '99999999');
  const trust = await TrustStore.open(file);
  await trust.add(publisher(first, 'one'), now);
  await writeFile(`${file}.lock`, String(process.pid));
  await trust.add(publisher(second, 'two'), now);
  assert.equal(trust.revision, 2);
});

test('refuses a file that is damaged, a link, or writable by others, and does not write over it', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'trust.json');
  const trust = await TrustStore.open(file);
  await trust.add(publisher(first, 'one'), now);
  const text = await readFile(file, 'utf8');
  const isUnreadable = (error: unknown) => MmmError.is(error, 'STATE_UNREADABLE');
  await chmod(file, 0o666);
  await assert.rejects(TrustStore.open(file), isUnreadable);
  await chmod(file, 0o600);
  for (const damaged of [
    '',
    '{',
    text.slice(0, -5),
    text.replace(first, second),
    text.replace('"publisher"', '"god"'),
  ]) {
    await writeFile(file, damaged);
    await assert.rejects(TrustStore.open(file), isUnreadable);
    await assert.rejects(trust.add(publisher(third, 'three'), now), isUnreadable);
    assert.equal(await readFile(file, 'utf8'), damaged);
  }
  await writeFile(join(folder, 'real.json'), text, { mode: 0o600 });
  await symlink(join(folder, 'real.json'), join(folder, 'link.json'));
  await assert.rejects(TrustStore.open(join(folder, 'link.json')), isUnreadable);
});

test('does not trust a key because it was made here', async (t) => {
  const home = await temporaryFolder(t);
  await new KeyRing(join(home, 'keys')).create('default');
  assert.deepEqual((await TrustStore.open(join(home, 'trust.json'))).list(), []);
});

test('covers everything, one publisher, or one plugin', () => {
  assert.ok(scopeCovers(['*'], 'acme/echo') && scopeCovers(['*'], 'echo'));
  assert.ok(scopeCovers(['acme/*'], 'acme/echo'));
  assert.ok(
    !scopeCovers(['acme/*'], 'acmex/echo') && !scopeCovers(['acme/*'], 'acme') && !scopeCovers(['acme/*'], 'evil/acme'),
  );
  assert.ok(scopeCovers(['echo'], 'echo') && !scopeCovers(['echo'], 'acme/echo') && !scopeCovers(['echo'], 'echo2'));
  assert.ok(!scopeCovers([], 'echo'));
});
