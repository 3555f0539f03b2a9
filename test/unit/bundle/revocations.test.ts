import assert from 'node:assert/strict';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  KeyRing,
  payloadTypes,
  preAuthenticationEncoding,
  type RevocationContent,
  readRevocations,
  type SigningKey,
  signRevocations,
  signRotation,
  TrustStore,
  verifyBundle,
  withdrawn,
} from '@mmm/bundle';
import { type ErrorCode, MmmError } from '@mmm/protocol';
import { identity, now, signedPlugin } from '../../support/plugin-folder.ts';

const day = 24 * 60 * 60 * 1000;
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
  readonly home: string;
  readonly plugin: string;
  readonly key: SigningKey;
  readonly root: SigningKey;
  readonly ring: KeyRing;
  import(content: Partial<RevocationContent>, key?: SigningKey): Promise<boolean>;
}

/** A signed plugin, and a root key that is trusted to revoke what `scopes` cover. */
async function setUp(t: TestContext, scopes: readonly string[] = ['*']): Promise<Setup> {
  const { home, plugin, key, trust } = await signedPlugin(t);
  const ring = new KeyRing(join(home, 'keys'));
  const root = await ring.create('root');
  await trust.add({ publicKey: root.publicKey, name: 'security team', role: 'root', scopes }, now);
  return {
    ...{ trust, home, plugin, key, root, ring },
    import: async (content, signer = root) => {
      const text = await signRevocations(list(content), signer);
      return await trust.importRevocations(await readRevocations(text, 'file', { trust, now }), now);
    },
  };
}

function list(content: Partial<RevocationContent> = {}): RevocationContent {
  const times = { issuedAt: now.toISOString(), expires: later(30 * day).toISOString() };
  return { version: 1, ...times, keys: [], bundles: [], ...content };
}

const verify = ({ plugin, trust }: Setup, more: { now?: Date; currentRevocations?: boolean } = {}) =>
  verifyBundle(plugin, { ...identity, trust, now, ...more });

test('a key that a list names is refused from then on, although the user trusts it', async (t) => {
  const setup = await setUp(t);
  await verify(setup);
  assert.equal(await setup.import({ keys: [{ keyid: setup.key.keyid, reason: 'stolen' }] }), true);
  await assert.rejects(verify(setup), fails('KEY_REVOKED', /by security team: stolen/));
  const again = await TrustStore.open(join(setup.home, 'trust.json'));
  assert.deepEqual(again.revocationOf(setup.key.keyid), {
    at: now.toISOString(),
    reason: 'stolen',
    issuer: 'security team',
  });
});

test('a bundle that a list names is refused whoever signed it, and others of that key are not', async (t) => {
  const setup = await setUp(t);
  const { indexSha256 } = await verify(setup);
  await setup.import({ bundles: [{ sha256: '0'.repeat(64), reason: 'another one' }] });
  await verify(setup);
  await setup.import({ version: 2, bundles: [{ sha256: indexSha256, reason: 'sends data home' }] });
  await assert.rejects(verify(setup), fails('BUNDLE_REVOKED', /sends data home/));
});

test('what runs is withdrawn by a revoked key or bundle, not by an expired key or a successor', async (t) => {
  const setup = await setUp(t);
  const { indexSha256: bundleSha256 } = await verify(setup);
  const { key, trust, ring } = setup;
  const run = { name: identity.name, bundleSha256, keyid: key.keyid };
  const codeOf = (of: Parameters<typeof withdrawn>[0] = run) => withdrawn(of, trust)?.code;
  const expired = {
    publicKey: key.publicKey,
    name: 'me',
    role: 'publisher',
    scopes: ['*'],
    notAfter: now.toISOString(),
  };
  await trust.add({ ...expired, role: 'publisher' }, now);
  assert.equal(codeOf(), undefined);
  await trust.add({ publicKey: key.publicKey, name: 'me', role: 'publisher', scopes: ['*'] }, now);
  await trust.rotate(await signRotation(key, await ring.create('next'), { issuedAt: now, cutoverAt: now }), now);
  assert.equal(codeOf(), undefined);
  assert.equal(codeOf({ ...run, keyid: 'f'.repeat(32) }), 'SIGNATURE_UNTRUSTED');
  await setup.import({ bundles: [{ sha256: bundleSha256, reason: 'x' }] });
  assert.equal(codeOf(), 'BUNDLE_REVOKED');
  assert.equal(codeOf({ ...run, keyid: undefined }), 'BUNDLE_REVOKED');
  await setup.import({ version: 2, keys: [{ keyid: key.keyid, reason: 'x' }] });
  assert.equal(codeOf({ ...run, bundleSha256: 'other' }), 'KEY_REVOKED');
  assert.equal(codeOf({ ...run, bundleSha256: 'other', keyid: undefined }), undefined);
});

test('lists move forward only, and what was revoked once stays revoked', async (t) => {
  const setup = await setUp(t);
  const revoked = { keys: [{ keyid: setup.key.keyid, reason: 'stolen' }] };
  assert.equal(await setup.import({ version: 5, ...revoked }), true);
  assert.equal(await setup.import({ version: 5, ...revoked }), false, 'the very same list is no news');
  await assert.rejects(setup.import({ version: 5 }), fails('REVOCATIONS_OUTDATED', /with other content/));
  await assert.rejects(setup.import({ version: 4 }), fails('REVOCATIONS_OUTDATED', /an older one/));
  await assert.rejects(verify(setup), fails('KEY_REVOKED'));
  assert.equal(await setup.import({ version: 9 }), true);
  await assert.rejects(verify(setup), fails('KEY_REVOKED'));
  const again = await TrustStore.open(join(setup.home, 'trust.json'));
  assert.deepEqual(
    again.revocations().map(({ version, keys }) => [version, keys.length]),
    [[9, 1]],
  );
  const old = await readRevocations(await signRevocations(list({ version: 8 }), setup.root), 'file', {
    trust: again,
    now,
  });
  await assert.rejects(again.importRevocations(old, now), fails('REVOCATIONS_OUTDATED'));
});

test('a list counts for the plugins that its issuer is trusted for', async (t) => {
  const setup = await setUp(t, ['other/*']);
  const { indexSha256: sha256 } = await verify(setup);
  await setup.import({ keys: [{ keyid: setup.key.keyid, reason: 'x' }], bundles: [{ sha256, reason: 'x' }] });
  await verify(setup);
  assert.equal(setup.trust.bundleRevocation(sha256, 'other/tool')?.issuer, 'security team');
  await setup.trust.add({ publicKey: setup.root.publicKey, name: 'team', role: 'root', scopes: ['acme/*'] }, now);
  await assert.rejects(verify(setup), fails('KEY_REVOKED', /by team/));
});

test('only a root key issues lists: no publisher, nobody unknown, revoked, expired or retired', async (t) => {
  const setup = await setUp(t);
  const { trust, ring, key, root } = setup;
  const stranger = await ring.create('stranger');
  await assert.rejects(setup.import({}, key), fails('KEY_ROLE_WRONG', /trust as publisher/));
  await assert.rejects(setup.import({}, stranger), fails('STATEMENT_UNTRUSTED', new RegExp(stranger.keyid)));
  const rootKey = { publicKey: root.publicKey, name: 'security team', role: 'root', scopes: ['*'] } as const;
  await trust.add({ ...rootKey, notAfter: later(-1).toISOString() }, now);
  await assert.rejects(setup.import({}), fails('KEY_EXPIRED'));
  await trust.add(rootKey, now);
  await setup.import({ version: 3 });
  const next = await ring.create('next');
  await trust.rotate(await signRotation(root, next, { issuedAt: now, cutoverAt: now }), now);
  await assert.rejects(setup.import({ version: 4 }), fails('KEY_RETIRED'));
  await assert.rejects(setup.import({ version: 2 }, next), fails('REVOCATIONS_OUTDATED'));
  assert.equal(await setup.import({ version: 4 }, next), true, 'the lists of a line go on');
  await trust.revoke(next.keyid, 'stolen', now);
  await assert.rejects(setup.import({ version: 5 }, next), fails('KEY_REVOKED'));
});

test('the signature of a bundle is no signature of a list, and the other way round', async (t) => {
  const { trust, root, key } = await setUp(t);
  const payload = Buffer.from(JSON.stringify({ schema: 'mmm.revocations/1', ...list() }));
  const sealed = (type: string, as: string, signer: SigningKey) =>
    JSON.stringify({
      payloadType: as,
      payload: payload.toString('base64'),
      signatures: [
        {
          keyid: signer.keyid,
          sig: Buffer.from(signer.sign(preAuthenticationEncoding(type, payload))).toString('base64'),
        },
      ],
    });
  const read = (text: string) => readRevocations(text, 'file', { trust, now });
  const { bundle, revocations, rotation } = payloadTypes;
  assert.equal((await read(sealed(revocations, revocations, root))).version, 1);
  for (const type of [bundle, rotation, 'application/json']) {
    await assert.rejects(read(sealed(type, revocations, root)), fails('STATEMENT_UNTRUSTED', /other bytes/));
    await assert.rejects(read(sealed(type, type, root)), fails('STATEMENT_INVALID'));
  }
  await assert.rejects(read(sealed(bundle, revocations, key)), fails('STATEMENT_UNTRUSTED'));
});

test('an index of a bundle that is presented as a list is refused', async (t) => {
  const { plugin, trust, key } = await setUp(t);
  const index = await readFile(join(plugin, '.mmm/index.json'));
  const signatures = JSON.parse(await readFile(join(plugin, '.mmm/signatures.json'), 'utf8')) as {
    signatures: unknown;
  };
  const text = JSON.stringify({
    payloadType: payloadTypes.revocations,
    payload: index.toString('base64'),
    signatures: signatures.signatures,
  });
  await assert.rejects(
    readRevocations(text, 'file', { trust, now }),
    fails('STATEMENT_UNTRUSTED', new RegExp(key.keyid)),
  );
});

test('what is no list, or too long a one, is refused with its place', async (t) => {
  const { trust, root } = await setUp(t);
  const read = (text: string) => readRevocations(text, 'list.json', { trust, now });
  for (const text of ['', '{', '[]', '{}', '{"payloadType":1}', 'x'.repeat(3_000_000)]) {
    await assert.rejects(read(text), fails('STATEMENT_INVALID', /^list\.json cannot be used/));
  }
  const many = Array.from({ length: 5001 }, (_, index) => ({
    sha256: index.toString(16).padStart(64, '0'),
    reason: '',
  }));
  await assert.rejects(signRevocations(list({ bundles: many }), root), fails('STATEMENT_INVALID', /too many/));
  await assert.rejects(signRevocations(list({ version: 0 }), root), fails('STATEMENT_INVALID'));
});

test('an issuer cannot revoke more than is remembered of one, list by list', async (t) => {
  const setup = await setUp(t);
  const bundles = (from: number) =>
    Array.from({ length: 4000 }, (_, index) => ({ sha256: (from + index).toString(16).padStart(64, '0'), reason: '' }));
  await setup.import({ bundles: bundles(0) });
  await assert.rejects(setup.import({ version: 2, bundles: bundles(4000) }), fails('STATEMENT_INVALID', /5000/));
  assert.deepEqual(setup.trust.revocations()[0]?.version, 1);
});

test('an expired list is not taken over, and one that expires later refuses only where asked to', async (t) => {
  const setup = await setUp(t);
  const strict = { currentRevocations: true };
  await assert.rejects(verify(setup, strict), fails('REVOCATIONS_EXPIRED', /was ever imported/));
  await assert.rejects(setup.import({ expires: later(-1).toISOString() }), fails('REVOCATIONS_EXPIRED'));
  await setup.import({ expires: later(day).toISOString() });
  await verify(setup, strict);
  await verify(setup, { ...strict, now: later(day) });
  await assert.rejects(verify(setup, { ...strict, now: later(day + 1) }), fails('REVOCATIONS_EXPIRED', /expired at/));
  await verify(setup, { now: later(day + 1) });
  assert.equal(setup.trust.staleRevocations(identity.name, later(day + 1))?.key.name, 'security team');
});

test('a trust store of an earlier release is read, and keeps what it holds', async (t) => {
  const { home, trust, key } = await setUp(t);
  const file = join(home, 'trust.json');
  const {
    rotations: _,
    revocations: __,
    ...earlier
  } = JSON.parse(await readFile(file, 'utf8')) as Record<string, unknown>;
  await writeFile(file, JSON.stringify(earlier), { mode: 0o600 });
  const reopened = await TrustStore.open(file);
  assert.deepEqual(reopened.list(), trust.list());
  assert.equal(reopened.publisherOf(key.keyid), key.keyid);
});
