import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  KeyRing,
  payloadTypes,
  readRotation,
  type SigningKey,
  signRotation,
  TrustStore,
  verifyBundle,
} from '@mmm/bundle';
import { type ErrorCode, MmmError } from '@mmm/protocol';
import { identity, now, signedPlugin, temporaryFolder } from '../../support/plugin-folder.ts';

const later = (ms: number): Date => new Date(now.getTime() + ms);
const fails =
  (code: ErrorCode, message = /./) =>
  (error: unknown): boolean => {
    assert.ok(MmmError.is(error, code), String(error));
    assert.match(error.message, message);
    return true;
  };

interface Setup {
  readonly trust: TrustStore;
  readonly keys: { readonly a: SigningKey; readonly b: SigningKey; readonly c: SigningKey };
}

/** Three keys, of which the first is trusted. */
async function setUp(t: TestContext, notAfter?: string): Promise<Setup> {
  const folder = await temporaryFolder(t);
  const ring = new KeyRing(join(folder, 'keys'));
  const keys = { a: await ring.create('a'), b: await ring.create('b'), c: await ring.create('c') };
  const trust = await TrustStore.open(join(folder, 'trust.json'));
  const acme = { publicKey: keys.a.publicKey, name: 'acme', role: 'publisher', scopes: ['acme/*'] } as const;
  await trust.add({ ...acme, notAfter }, now);
  return { trust, keys };
}

const rotation = (from: SigningKey, to: SigningKey, cutoverAt = now) =>
  signRotation(from, to, { issuedAt: now, cutoverAt });

test('a rotation gives the new key the name, the scopes and the publisher of the old one', async (t) => {
  const { trust, keys } = await setUp(t, '2027-01-01T00:00:00Z');
  const { from, to } = await trust.rotate(await rotation(keys.a, keys.b), now);
  assert.deepEqual(
    [to.name, to.scopes, to.role, to.notAfter],
    ['acme', ['acme/*'], 'publisher', '2027-01-01T00:00:00Z'],
  );
  assert.equal(from.name, `acme-${keys.a.keyid.slice(0, 8)}`);
  assert.deepEqual(from.successor, { keyid: keys.b.keyid, cutoverAt: now.toISOString() });
  const reopened = trust.publisherOf(keys.b.keyid);
  assert.equal(reopened, keys.a.keyid);
  assert.equal(trust.publisherOf(keys.c.keyid), keys.c.keyid);
  await trust.rotate(await rotation(keys.b, keys.c), now);
  assert.equal(trust.publisherOf(keys.c.keyid), keys.a.keyid);
  assert.equal(trust.find(keys.c.keyid)?.name, 'acme');
});

test('a rotation that is in force already changes nothing, and can be given to others', async (t) => {
  const { trust, keys } = await setUp(t);
  const made = await rotation(keys.a, keys.b);
  await trust.rotate(made, now);
  const { revision } = trust;
  await trust.rotate(made, now);
  assert.equal(trust.revision, revision);
  const statement = trust.rotationTo(keys.b.keyid) ?? '';
  assert.deepEqual(await readRotation(statement, 'file'), made);
});

test('both keys must have signed it, over these very bytes, as a rotation', async (t) => {
  const { keys } = await setUp(t);
  const { statement } = await rotation(keys.a, keys.b);
  const parsed = JSON.parse(statement) as { payloadType: string; payload: string; signatures: { keyid: string }[] };
  const without = (keyid: string) => ({
    ...parsed,
    signatures: parsed.signatures.filter((one) => one.keyid !== keyid),
  });
  const read = (value: unknown) => readRotation(JSON.stringify(value), 'file');
  await assert.rejects(read(without(keys.a.keyid)), fails('STATEMENT_UNTRUSTED', /the old key/));
  await assert.rejects(read(without(keys.b.keyid)), fails('STATEMENT_UNTRUSTED', /the new key/));
  const content = JSON.parse(Buffer.from(parsed.payload, 'base64').toString('utf8')) as Record<string, unknown>;
  const payload = (changed: unknown) => Buffer.from(`${JSON.stringify(changed)}\n`).toString('base64');
  const moved = { ...parsed, payload: payload({ ...content, cutoverAt: '2030-01-01T00:00:00Z' }) };
  await assert.rejects(read(moved), fails('STATEMENT_UNTRUSTED', /other bytes/));
  const thief = { ...parsed, payload: payload({ ...content, to: keys.c.publicKey }) };
  await assert.rejects(read(thief), fails('STATEMENT_UNTRUSTED'));
  await assert.rejects(read({ ...parsed, payloadType: payloadTypes.revocations }), fails('STATEMENT_INVALID'));
  const itself = await rotation(keys.a, keys.a).catch((error: unknown) => error);
  assert.ok(fails('STATEMENT_INVALID')(itself));
});

test('any one changed byte of a statement is refused without a fault of ours', async (t) => {
  const { keys } = await setUp(t);
  const bytes = Buffer.from((await rotation(keys.a, keys.b)).statement);
  for (let at = 0; at < bytes.length; at += 1) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ (1 << (at % 7));
    await assert.rejects(
      readRotation(changed.toString('latin1'), 'file').then(({ from, to }) => {
        // White space of the envelope carries nothing; what was signed did not change.
        if (from.keyid === keys.a.keyid && to.keyid === keys.b.keyid)
          throw new MmmError('STATEMENT_INVALID', 'same', { file: '', reason: '' });
      }),
      (error) => {
        assert.ok(error instanceof MmmError && /^STATEMENT_/.test(error.code), `${at}: ${String(error)}`);
        return true;
      },
    );
  }
});

test('only a key that is trusted, not revoked, not expired and without another successor hands over', async (t) => {
  const { trust, keys } = await setUp(t, later(1000).toISOString());
  await assert.rejects(
    trust.rotate(await rotation(keys.c, keys.b), now),
    fails('STATEMENT_UNTRUSTED', /you do not trust the old key/),
  );
  await assert.rejects(trust.rotate(await rotation(keys.a, keys.b), later(1001)), fails('KEY_EXPIRED'));
  await trust.rotate(await rotation(keys.a, keys.b), now);
  await assert.rejects(
    trust.rotate(await rotation(keys.a, keys.c), now),
    fails('STATEMENT_UNTRUSTED', /one successor/),
  );
  await assert.rejects(trust.rotate(await rotation(keys.b, keys.a), now), fails('STATEMENT_UNTRUSTED', /comes before/));
  await trust.revoke(keys.b.keyid, 'stolen', now);
  await assert.rejects(trust.rotate(await rotation(keys.b, keys.c), now), fails('KEY_REVOKED', /stolen/));
  assert.equal(trust.find(keys.c.keyid), undefined);
});

test('a key that was trusted by itself keeps its name and covers what the old one covered', async (t) => {
  const { trust, keys } = await setUp(t);
  await trust.add({ publicKey: keys.b.publicKey, name: 'new acme', role: 'publisher', scopes: ['acme/tool'] }, now);
  const { from, to } = await trust.rotate(await rotation(keys.a, keys.b), now);
  assert.deepEqual([from.name, to.name, to.scopes], ['acme', 'new acme', ['acme/tool', 'acme/*']]);
  const other = { publicKey: keys.c.publicKey, name: 'root', role: 'root', scopes: ['*'] } as const;
  await trust.add(other, now);
  await assert.rejects(trust.rotate(await rotation(keys.b, keys.c), now), fails('STATEMENT_UNTRUSTED', /as root/));
});

test('what was to be recorded and was not is not done', async (t) => {
  const { trust, keys } = await setUp(t);
  const refuse = (): never => {
    throw new Error('the log is full');
  };
  await assert.rejects(trust.rotate(await rotation(keys.a, keys.b), now, refuse), /the log is full/);
  await assert.rejects(trust.revoke('acme', 'x', now, refuse), /the log is full/);
  const added = { publicKey: keys.c.publicKey, name: 'c', role: 'publisher', scopes: ['*'] } as const;
  await assert.rejects(trust.add(added, now, refuse), /the log is full/);
  assert.deepEqual([trust.revision, trust.list().length, trust.find(keys.a.keyid)?.revoked], [1, 1, undefined]);
});

test('from the cut-over on the old key vouches for what is installed and for nothing new', async (t) => {
  const { home, plugin, key, trust } = await signedPlugin(t);
  const next = await new KeyRing(join(home, 'keys')).create('next');
  await trust.rotate(await rotation(key, next, later(1000)), now);
  const options = { ...identity, trust };
  assert.equal((await verifyBundle(plugin, { ...options, now: later(999) })).signedBy.keyid, key.keyid);
  await assert.rejects(verifyBundle(plugin, { ...options, now: later(1000) }), (error) => {
    assert.ok(MmmError.is(error, 'KEY_RETIRED'));
    assert.deepEqual(error.data, {
      keyid: key.keyid,
      plugin: identity.name,
      successor: next.keyid,
      cutoverAt: later(1000).toISOString(),
    });
    return true;
  });
  const installed = await verifyBundle(plugin, { ...options, now: later(1000), retiredKeys: true });
  assert.equal(installed.signedBy.keyid, key.keyid);
});

test('a ring that lets a successor take a name over keeps every secret', async (t) => {
  const ring = new KeyRing(join(await temporaryFolder(t), 'keys'));
  const [old, next] = [await ring.create('default'), await ring.create('temporary')];
  await ring.replace('default', 'temporary', 'retired');
  assert.equal((await ring.get('default')).keyid, next.keyid);
  assert.equal((await ring.get('retired')).keyid, old.keyid);
  assert.deepEqual(
    (await ring.list()).map(({ name }) => name),
    ['default', 'retired'],
  );
  assert.deepEqual((await ring.get('retired')).sign(Buffer.from('x')), old.sign(Buffer.from('x')));
});
