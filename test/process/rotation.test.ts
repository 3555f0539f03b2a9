import assert from 'node:assert/strict';
import { existsSync, lstatSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { KeyRing, type SigningKey, signRotation } from '@mmm/bundle';
import { type Host, signPlugin } from '@mmm/host';
import { type ErrorCode, MmmError } from '@mmm/protocol';
import { confined } from '../support/confined.ts';
import { copyFixture, fixtureHost } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

const permission = 'environment=GREETING';
const more = `[permissions]\nenvironment = [{ name = "GREETING", reason = "Greets" }]\n`;
const refusedWith = (code: ErrorCode) => (error: unknown) => MmmError.is(error, code);

interface Publisher {
  readonly host: Host;
  readonly home: string;
  readonly old: SigningKey;
  readonly next: SigningKey;
  /** A signed folder of the plugin in this version. */
  folder(version: string, key: SigningKey): Promise<string>;
  statement(cutoverAt?: Date): Promise<string>;
}

/** Somebody else with two keys, of which this machine trusts the first. */
async function publisher(t: TestContext): Promise<Publisher> {
  const { host, home } = await fixtureHost(t, [], { environment: { GREETING: 'hello' } });
  const ring = new KeyRing(join(tempFolder(t), 'keys'));
  const [old, next] = [await ring.create('old'), await ring.create('next')];
  await host.trustKey({ publicKey: old.publicKey, name: 'acme', scopes: ['echo'] });
  return {
    ...{ host, home, old, next },
    folder: async (version, key) => {
      const folder = copyFixture({ behaviour: 'echo', more }, tempFolder(t));
      const file = join(folder, 'plugin.toml');
      writeFileSync(file, readFileSync(file, 'utf8').replace('1.0.0', version));
      await signPlugin(folder, key);
      return folder;
    },
    statement: async (cutoverAt = new Date()) =>
      (await signRotation(old, next, { issuedAt: new Date(), cutoverAt })).statement,
  };
}

test('grants, data and uid of a publisher go on with the key that took over', {
  ...confined,
  timeout: 120_000,
}, async (t) => {
  const { host, home, old, next, folder, statement } = await publisher(t);
  await host.install(await folder('1.0.0', old), { grant: [permission] });
  const data = join(home, 'data/echo');
  await (await host.plugin('echo')).start();
  writeFileSync(join(data, 'kept'), 'by acme');
  const { uid } = lstatSync(data);
  const update = await folder('1.1.0', next);
  await assert.rejects(host.install(update), refusedWith('SIGNATURE_UNTRUSTED'), 'nobody knows the new key yet');
  const { from, to } = await host.importRotation(await statement());
  assert.deepEqual([from.keyid, to.keyid, to.name], [old.keyid, next.keyid, 'acme']);
  const plugin = await host.plugin('echo');
  await plugin.stop();
  assert.equal((await plugin.execute('run', 1)).output, 1, 'what is installed runs on after the cut-over');
  await assert.rejects(host.install(await folder('1.0.1', old)), refusedWith('KEY_RETIRED'));
  const report = await host.install(update);
  assert.deepEqual([report.change, report.missing, report.dataKept], ['updated', [], null]);
  assert.equal((await (await host.plugin('echo')).execute('run', 2)).output, 2);
  assert.equal(readFileSync(join(data, 'kept'), 'utf8'), 'by acme');
  assert.equal(lstatSync(data).uid, uid);
  const statuses = (await host.info('echo')).permissions.map(({ key, status }) => [key, status]);
  assert.deepEqual(statuses, [[permission, 'granted']]);
  assert.equal(host.audit.list({ action: 'publisher' }).length, 0);
});

test('until the cut-over both keys count; another publisher never does without being named', async (t) => {
  const { host, old, next, folder, statement } = await publisher(t);
  await host.install(await folder('1.0.0', old));
  await host.importRotation(await statement(new Date(Date.now() + 3_600_000)));
  await host.install(await folder('1.1.0', next));
  await host.install(await folder('1.2.0', old));
  const stranger = await new KeyRing(join(tempFolder(t), 'keys')).create('stranger');
  await host.trustKey({ publicKey: stranger.publicKey, name: 'stranger', scopes: ['*'] });
  const theirs = await folder('1.3.0', stranger);
  await assert.rejects(host.install(theirs), (error) => {
    assert.ok(MmmError.is(error, 'PUBLISHER_CHANGED'));
    assert.ok(error.message.includes(stranger.fingerprint), error.message);
    return true;
  });
  await assert.rejects(host.install(theirs, { allowPublisherChange: 'other' }), refusedWith('USAGE'));
  assert.equal((await host.install(theirs, { allowPublisherChange: 'echo' })).change, 'updated');
  const recorded = host.audit.list({ plugin: 'echo' }).filter(({ detail }) => detail.what === 'publisher');
  assert.deepEqual(
    recorded.map(({ action }) => action),
    ['refused', 'override'],
  );
});

test('a plugin that is only found belongs to whoever signed it at its first start, until its user says otherwise', {
  ...confined,
  timeout: 120_000,
}, async (t) => {
  const searched = tempFolder(t);
  const { host, home } = await fixtureHost(t, [], { searchPath: [{ directory: searched, origin: 'user' }] });
  const [mine, theirs] = [await host.keys.get('test'), await new KeyRing(join(tempFolder(t), 'keys')).create('x')];
  await host.trustKey({ publicKey: theirs.publicKey, name: 'theirs', scopes: ['*'] });
  const folder = copyFixture({ behaviour: 'echo' }, searched);
  await signPlugin(folder, mine);
  assert.equal((await (await host.plugin('echo')).execute('run', 1)).output, 1);
  writeFileSync(join(home, 'data/echo/kept'), 'mine');
  rmSync(join(folder, '.mmm'), { recursive: true });
  await signPlugin(folder, theirs);
  await (await host.plugin('echo')).stop();
  const call = async () => (await (await host.plugin('echo')).execute('run', 2)).output;
  await assert.rejects(call(), refusedWith('PUBLISHER_CHANGED'));
  await assert.rejects(host.enable('echo', { allowPublisherChange: 'other' }), refusedWith('USAGE'));
  await host.enable('echo', { allowPublisherChange: 'echo' });
  assert.equal(await call(), 2);
  assert.equal(existsSync(join(home, 'data/echo/kept')), false);
  const recorded = host.audit.list({ plugin: 'echo' }).map(({ action }) => action);
  assert.deepEqual(recorded, ['launch', 'refused', 'override', 'publisher', 'launch']);
});

test('of several signatures that of the publisher counts, wherever it stands', async (t) => {
  const { host, folder, old, next } = await publisher(t);
  await host.trustKey({ publicKey: next.publicKey, name: 'reviewer', scopes: ['*'] });
  await host.install(await folder('1.0.0', old));
  const reviewed = await folder('1.1.0', next);
  await signPlugin(reviewed, old);
  const report = await host.install(reviewed);
  assert.deepEqual([report.trust.keyid, report.dataKept], [old.keyid, null]);
});

test('a new key that was trusted before its rotation was known keeps what it had', async (t) => {
  const { host, home, old, next, folder, statement } = await publisher(t);
  await host.install(await folder('1.0.0', old), { grant: [permission] });
  await host.trustKey({ publicKey: next.publicKey, name: 'acme again', scopes: ['echo'] });
  await host.install(await folder('1.1.0', next), { allowPublisherChange: 'echo', grant: [permission] });
  writeFileSync(join(home, 'marker'), '');
  await host.importRotation(await statement());
  const report = await host.install(await folder('1.2.0', next));
  assert.deepEqual([report.missing, report.dataKept], [[], null]);
  await host.importRotation(await statement(new Date(0)));
  assert.equal(host.trust.list().filter(({ name }) => name.startsWith('acme')).length, 2);
});

test('an own key that is rotated goes on under its name, and the old one signs nothing', async (t) => {
  const { host } = await fixtureHost(t, []);
  const before = await host.keys.get('test');
  const { to, from } = await host.rotateKey('test');
  assert.equal((await host.keys.get('test')).keyid, to.keyid);
  assert.equal(from.keyid, before.keyid);
  const folder = copyFixture({ behaviour: 'echo' }, tempFolder(t));
  assert.equal((await host.sign(folder)).keyid, to.keyid, 'the only key in use needs no name');
  await assert.rejects(host.sign(folder, from.name), refusedWith('KEY_RETIRED'));
  await assert.rejects(host.rotateKey(from.name), refusedWith('KEY_RETIRED'));
  await host.install(folder);
  await host.rotateKey();
  assert.equal(host.trust.publisherOf((await host.keys.get('test')).keyid), before.keyid);
  const security = await host.createKey('security', { role: 'root' });
  await assert.rejects(host.sign(folder, 'security'), refusedWith('KEY_ROLE_WRONG'));
  await host.issueRevocations({ keys: [], bundles: [], reason: '', expires: new Date(Date.now() + 60_000) });
  await host.rotateKey('security');
  const again = { keys: [], bundles: [], reason: '', expires: new Date(Date.now() + 60_000) };
  const { list } = await host.issueRevocations(again);
  assert.deepEqual([list.version, list.issuer], [2, security.keyid], 'its lists go on');
});

test('what cannot be recorded is not decided: no key, no trust, no rotation, no list', async (t) => {
  const { host, home } = await fixtureHost(t, []);
  await host.createKey('security', { role: 'root' });
  const before = readFileSync(join(home, 'trust.json'), 'utf8');
  const { renameSync, symlinkSync } = await import('node:fs');
  renameSync(join(home, 'audit/audit.jsonl'), join(home, 'audit/aside'));
  symlinkSync('aside', join(home, 'audit/audit.jsonl'));
  const { publicKey } = await new KeyRing(join(tempFolder(t), 'keys')).create('theirs');
  const expires = new Date(Date.now() + 60_000);
  const decisions: Record<string, () => Promise<unknown>> = {
    create: () => host.createKey('another'),
    trust: () => host.trustKey({ publicKey, name: 'theirs', scopes: ['*'] }),
    revoke: () => host.revokeKey('test', 'stolen'),
    rotate: () => host.rotateKey('test'),
    issue: () => host.issueRevocations({ keys: ['test'], bundles: [], reason: '', expires }),
  };
  for (const [name, decide] of Object.entries(decisions)) {
    await assert.rejects(decide(), refusedWith('STATE_UNREADABLE'), name);
  }
  assert.equal(readFileSync(join(home, 'trust.json'), 'utf8'), before);
  assert.deepEqual(
    (await host.keys.list()).map(({ name }) => name),
    ['security', 'test'],
  );
});
