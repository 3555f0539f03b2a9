import assert from 'node:assert/strict';
import { chmod, link, mkdir, readdir, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import {
  KeyRing,
  payloadTypes,
  preAuthenticationEncoding,
  SignatureMemo,
  signBundle,
  TrustStore,
  verifyBundle,
  verifySignedIndex,
} from '@mmm/bundle';
import { type ErrorCode, MmmError } from '@mmm/protocol';
import { identity, now, type SignedPlugin, signedPlugin } from '../../support/plugin-folder.ts';

const { name } = identity;
const failsWith =
  (code: ErrorCode, data: object = {}) =>
  (error: unknown) => {
    assert.ok(error instanceof MmmError, String(error));
    assert.equal(error.code, code, error.message);
    assert.deepEqual({ ...error.data, ...data }, error.data);
    return true;
  };

interface SignatureFile {
  schema: string;
  payloadType: string;
  signatures: { keyid: string; sig: string }[];
}

async function changeSignatures(folder: string, change: (file: SignatureFile) => void): Promise<void> {
  const path = join(folder, '.mmm/signatures.json');
  const file = JSON.parse(await readFile(path, 'utf8')) as SignatureFile;
  change(file);
  await writeFile(path, JSON.stringify(file));
}

async function trustOf(plugin: SignedPlugin, t: TestContext, key: object): Promise<TrustStore> {
  const trust = await TrustStore.open(join(plugin.home, `trust-${t.name.length}-${Object.keys(key).join('')}.json`));
  await trust.add({ publicKey: plugin.key.publicKey, name: 'me', role: 'publisher', scopes: ['*'], ...key }, now);
  return trust;
}

test('accepts what was signed, and says by whom', async (t) => {
  const { plugin, trust, key } = await signedPlugin(t);
  const verified = await verifyBundle(plugin, { ...identity, trust, now });
  assert.equal(verified.signedBy.keyid, key.keyid);
  assert.equal(verified.index.files.length, 3);
  assert.deepEqual(Buffer.from(verified.indexBytes), await readFile(join(plugin, '.mmm/index.json')));
});

test('refuses a bundle of which any one byte was changed', async (t) => {
  const { plugin, trust } = await signedPlugin(t);
  const expected: Record<string, readonly ErrorCode[]> = {
    'plugin.toml': ['BUNDLE_CHANGED'],
    'bin/run': ['BUNDLE_CHANGED'],
    'lib/a/b.txt': ['BUNDLE_CHANGED'],
    '.mmm/index.json': ['SIGNATURE_REJECTED'],
    '.mmm/signatures.json': ['SIGNATURE_REJECTED', 'SIGNATURE_UNTRUSTED'],
  };
  let refused = 0;
  for (const [path, codes] of Object.entries(expected)) {
    const file = join(plugin, path);
    const bytes = await readFile(file);
    for (let at = 0; at < bytes.length; at += 1) {
      const changed = Buffer.from(bytes);
      changed[at] = (changed[at] ?? 0) ^ (1 << (at % 8));
      await writeFile(file, changed);
      await assert.rejects(verifyBundle(plugin, { name, trust, now }), (error) => {
        assert.ok(error instanceof MmmError && codes.includes(error.code), `${path} at ${at}: ${String(error)}`);
        return true;
      });
      refused += 1;
    }
    await writeFile(file, bytes);
  }
  assert.ok(refused > 700, String(refused));
  await verifyBundle(plugin, { name, trust, now });
});

test('names an extra, a missing, a longer and a shorter file, and a changed executable bit', async (t) => {
  const { copy, trust } = await signedPlugin(t);
  const cases: readonly [string, string, (folder: string) => Promise<unknown>][] = [
    ['unlisted', 'extra.js', (folder) => writeFile(join(folder, 'extra.js'), '')],
    ['unlisted', '.mmm/extra.js', (folder) => writeFile(join(folder, '.mmm/extra.js'), '')],
    ['unlisted', '.MMM', (folder) => writeFile(join(folder, '.MMM'), '')],
    ['unlisted', 'a\u202eb', (folder) => writeFile(join(folder, 'a\u202eb'), '')],
    ['missing', 'lib/a/b.txt', (folder) => rm(join(folder, 'lib'), { recursive: true })],
    ['changed', 'plugin.toml', (folder) => writeFile(join(folder, 'plugin.toml'), 'schema = 1\n\n')],
    ['changed', 'plugin.toml', (folder) => writeFile(join(folder, 'plugin.toml'), '')],
    ['mode', 'bin/run', (folder) => chmod(join(folder, 'bin/run'), 0o644)],
    ['mode', 'plugin.toml', (folder) => chmod(join(folder, 'plugin.toml'), 0o654)],
  ];
  for (const [at, [reason, file, damage]] of cases.entries()) {
    const folder = await copy(`case-${at}`);
    await damage(folder);
    await assert.rejects(verifyBundle(folder, { name, trust, now }), failsWith('BUNDLE_CHANGED', { reason, file }));
  }
});

test('refuses links in the place of files and folders, even to the same bytes', async (t) => {
  const { copy, trust, plugin } = await signedPlugin(t);
  const replace = async (folder: string, path: string) => {
    await rename(join(folder, path), `${folder}-moved`);
    await symlink(`${folder}-moved`, join(folder, path));
  };
  for (const [at, path] of ['bin/run', 'bin', 'lib/a', '.mmm', '.mmm/index.json', '.mmm/signatures.json'].entries()) {
    const folder = await copy(`link-${at}`);
    await replace(folder, path);
    await assert.rejects(
      verifyBundle(folder, { name, trust, now }),
      failsWith('BUNDLE_CHANGED', { reason: 'not_a_file', file: path }),
    );
  }
  for (const [at, path] of ['bin/run', '.mmm/index.json'].entries()) {
    const folder = await copy(`hard-${at}`);
    await link(join(folder, path), `${folder}-second-name`);
    await assert.rejects(
      verifyBundle(folder, { name, trust, now }),
      failsWith('BUNDLE_CHANGED', { reason: 'not_a_file', file: path }),
    );
  }
  const folder = await copy('folder-for-file');
  await rm(join(folder, 'plugin.toml'));
  await mkdir(join(folder, 'plugin.toml'));
  await assert.rejects(verifyBundle(folder, { name, trust, now }), failsWith('BUNDLE_CHANGED', { reason: 'missing' }));
  await symlink(plugin, `${folder}-link`);
  await verifyBundle(`${folder}-link`, { name, trust, now });
});

test('tells missing, untrusted and revoked apart, and heeds scope, role and expiry', async (t) => {
  const plugin = await signedPlugin(t);
  const { copy, home, key } = plugin;
  const options = { name, now };
  const unsigned = await copy('unsigned');
  await rm(join(unsigned, '.mmm/signatures.json'));
  await assert.rejects(
    verifyBundle(unsigned, { ...options, trust: plugin.trust }),
    failsWith('SIGNATURE_MISSING', { plugin: name }),
  );
  await rm(join(unsigned, '.mmm'), { recursive: true });
  await assert.rejects(verifyBundle(unsigned, { ...options, trust: plugin.trust }), failsWith('SIGNATURE_MISSING'));
  const untrusted = failsWith('SIGNATURE_UNTRUSTED', { plugin: name, keyids: [key.keyid] });
  const nobody = await TrustStore.open(join(home, 'nobody.json'));
  await assert.rejects(verifyBundle(plugin.plugin, { ...options, trust: nobody }), untrusted);
  const refusals = [
    [{ scopes: ['other/*'] }, 'KEY_OUT_OF_SCOPE', { scopes: ['other/*'] }],
    [{ role: 'registry' }, 'KEY_ROLE_WRONG', { role: 'registry' }],
    [{ role: 'root', name: 'a root' }, 'KEY_ROLE_WRONG', { role: 'root' }],
    [{ role: 'dev', name: 'a developer' }, 'KEY_ROLE_WRONG', { role: 'dev' }],
    [{ notAfter: '2026-01-02T03:04:04Z' }, 'KEY_EXPIRED', { notAfter: '2026-01-02T03:04:04Z' }],
  ] as const;
  for (const [change, code, data] of refusals) {
    const trust = await trustOf(plugin, t, change);
    const refused = failsWith(code, { keyid: key.keyid, plugin: name, ...data });
    await assert.rejects(verifyBundle(plugin.plugin, { ...options, trust }), refused);
  }
  const valid = await trustOf(plugin, t, { notAfter: '2026-01-02T03:04:06Z', scopes: ['acme/*'] });
  await verifyBundle(plugin.plugin, { ...options, trust: valid });
  const development = await trustOf(plugin, t, { role: 'dev', scopes: [name] });
  await verifyBundle(plugin.plugin, { ...options, trust: development, developmentKeys: true });
  await plugin.trust.revoke('me', 'stolen', now);
  await assert.rejects(
    verifyBundle(plugin.plugin, { ...options, trust: plugin.trust }),
    failsWith('KEY_REVOKED', { keyid: key.keyid, plugin: name }),
  );
});

test('takes one trusted signature among several, but no bad signature of a known key', async (t) => {
  const { plugin, home, key, trust } = await signedPlugin(t);
  const other = await new KeyRing(join(home, 'keys')).create('other');
  await signBundle(plugin, identity, other);
  const options = { name, trust, now };
  assert.equal((await verifyBundle(plugin, options)).signedBy.keyid, key.keyid);
  await trust.add({ publicKey: other.publicKey, name: 'other', role: 'publisher', scopes: ['*'] }, now);
  await trust.revoke('me', 'stolen', now);
  assert.equal((await verifyBundle(plugin, options)).signedBy.keyid, other.keyid);
  await changeSignatures(plugin, ({ signatures: [first, second] }) => {
    if (first && second) first.sig = second.sig;
  });
  await assert.rejects(verifyBundle(plugin, options), failsWith('SIGNATURE_REJECTED', { keyid: key.keyid }));
});

test('refuses signatures that are malformed, malleated, repeated, too many or of another kind', async (t) => {
  const { copy, trust, key, plugin } = await signedPlugin(t);
  const groupOrder = (1n << 252n) + 27742317777372353535851937790883648493n;
  const bytes = await readFile(join(plugin, '.mmm/index.json'));
  const asRevocations = key.sign(preAuthenticationEncoding(payloadTypes.revocations, bytes));
  const edit =
    (change: (signature: Buffer) => Uint8Array) =>
    ({ signatures: [first] }: SignatureFile) => {
      if (first) first.sig = Buffer.from(change(Buffer.from(first.sig, 'base64'))).toString('base64');
    };
  const malleate = (signature: Buffer) => {
    const scalar = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + groupOrder;
    return Buffer.concat([
      signature.subarray(0, 32),
      Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex').reverse(),
    ]);
  };
  const changes: readonly ((file: SignatureFile) => void)[] = [
    edit(malleate),
    edit((signature) => signature.subarray(1)),
    edit((signature) => Buffer.concat([signature, Buffer.from([0])])),
    edit(() => Buffer.alloc(64)),
    edit(() => asRevocations),
    edit(() => key.sign(bytes)),
    (file) => void file.signatures.push(...file.signatures),
    (file) => void file.signatures.splice(0),
    (file) => {
      file.signatures = Array.from({ length: 9 }, (_, at) => ({ keyid: String(at).repeat(32), sig: 'A'.repeat(88) }));
    },
    (file) => void Object.assign(file, { payloadType: payloadTypes.revocations }),
    (file) => void Object.assign(file, { schema: 'mmm.sig/2' }),
    (file) => void Object.assign(file, { extra: 1 }),
    (file) => void Object.assign(file, { schema: ' '.repeat(17_000) }),
  ];
  for (const [at, change] of changes.entries()) {
    const folder = await copy(`signature-${at}`);
    await changeSignatures(folder, change);
    await assert.rejects(
      verifyBundle(folder, { name, trust, now }),
      (error) => {
        const tooLarge = at === changes.length - 1;
        return failsWith(tooLarge ? 'BUNDLE_INVALID' : 'SIGNATURE_REJECTED')(error);
      },
      `change ${at}`,
    );
  }
});

test('refuses a good bundle in the place of another plugin, version or manifest', async (t) => {
  const { plugin, trust } = await signedPlugin(t);
  const wrong = failsWith('BUNDLE_INVALID', { file: '.mmm/index.json' });
  await assert.rejects(verifyBundle(plugin, { name: 'acme/other', trust, now }), wrong);
  await assert.rejects(verifyBundle(plugin, { name, version: '1.2.4', trust, now }), wrong);
  await assert.rejects(verifyBundle(plugin, { name, manifest: 'plugin.yaml', trust, now }), wrong);
});

test('does not parse an index before its signature holds', async (t) => {
  const { plugin, trust } = await signedPlugin(t);
  await writeFile(join(plugin, '.mmm/index.json'), '{ this is not JSON');
  await assert.rejects(verifyBundle(plugin, { name, trust, now }), failsWith('SIGNATURE_REJECTED'));
  await writeFile(join(plugin, '.mmm/index.json'), Buffer.alloc(2 * 1024 * 1024));
  await assert.rejects(verifyBundle(plugin, { name, trust, now }), failsWith('BUNDLE_INVALID'));
  await rm(join(plugin, '.mmm/index.json'));
  await assert.rejects(verifyBundle(plugin, { name, trust, now }), failsWith('BUNDLE_INVALID'));
});

test('sees a revocation by another process without being opened again', async (t) => {
  const { plugin, trust, home } = await signedPlugin(t);
  await verifyBundle(plugin, { name, trust, now });
  await (await TrustStore.open(join(home, 'trust.json'))).revoke('me', 'stolen', now);
  await assert.rejects(verifyBundle(plugin, { name, trust, now }), failsWith('KEY_REVOKED'));
});

test('spares a later process the arithmetic, but not the files nor the trust', async (t) => {
  const { plugin, trust, home } = await signedPlugin(t);
  const file = join(home, 'verified.json');
  const verified = await verifyBundle(plugin, { name, trust, now, memo: new SignatureMemo(file) });
  const memo = new SignatureMemo(file);
  const entries = JSON.parse(await readFile(file, 'utf8')).entries;
  assert.equal(entries.length, 1);
  assert.ok(String(entries[0][0]).startsWith(`${verified.indexSha256} `));
  await verifySignedIndex(plugin, { name, trust, now, memo });
  await chmod(join(plugin, 'bin/run'), 0o644);
  await assert.rejects(verifyBundle(plugin, { name, trust, now, memo }), failsWith('BUNDLE_CHANGED'));
  await trust.revoke('me', 'stolen', now);
  await assert.rejects(verifySignedIndex(plugin, { name, trust, now, memo }), failsWith('KEY_REVOKED'));
});

test('remembers nothing for other bytes', async (t) => {
  const { plugin, trust, home } = await signedPlugin(t);
  const memo = new SignatureMemo(join(home, 'verified.json'));
  await verifySignedIndex(plugin, { name, trust, now, memo });
  await changeSignatures(plugin, ({ signatures: [first] }) => {
    if (first) first.sig = Buffer.alloc(64, 1).toString('base64');
  });
  await assert.rejects(verifySignedIndex(plugin, { name, trust, now, memo }), failsWith('SIGNATURE_REJECTED'));
});

test('counts as empty when its file is damaged, a link, or open to others', async (t) => {
  const { plugin, trust, home } = await signedPlugin(t);
  const file = join(home, 'verified.json');
  const { indexSha256 } = await verifySignedIndex(plugin, { name, trust, now, memo: new SignatureMemo(file) });
  const text = await readFile(file, 'utf8');
  const [entry] = JSON.parse(text).entries;
  const [, signaturesSha256] = String(entry[0]).split(' ');
  const key = { indexSha256, signaturesSha256: signaturesSha256 ?? '', trustRevision: trust.revision };
  assert.ok(new SignatureMemo(file).verifiedKeys(key));
  for (const damaged of ['', '{}', text.slice(1), text.replace('mmm.memo/1', 'mmm.memo/2')]) {
    await writeFile(file, damaged);
    assert.equal(new SignatureMemo(file).verifiedKeys(key), undefined);
  }
  await writeFile(file, text);
  await chmod(file, 0o644);
  assert.equal(new SignatureMemo(file).verifiedKeys(key), undefined);
  await chmod(file, 0o600);
  await symlink(file, `${file}-link`);
  assert.equal(new SignatureMemo(`${file}-link`).verifiedKeys(key), undefined);
});

test('keeps signatures of others over the same index, and drops those over another', async (t) => {
  const { plugin, home, key } = await signedPlugin(t);
  const other = await new KeyRing(join(home, 'keys')).create('other');
  const keyids = async () => {
    const { signatures } = JSON.parse(await readFile(join(plugin, '.mmm/signatures.json'), 'utf8')) as SignatureFile;
    return signatures.map(({ keyid }) => keyid);
  };
  await signBundle(plugin, identity, other);
  await signBundle(plugin, identity, other);
  assert.deepEqual(await keyids(), [key.keyid, other.keyid]);
  await writeFile(join(plugin, 'plugin.toml'), 'schema = 1 # changed\n');
  await signBundle(plugin, identity, other);
  assert.deepEqual(await keyids(), [other.keyid]);
});

test('leaves two files behind and takes away what a killed signing left', async (t) => {
  const { plugin, key } = await signedPlugin(t);
  await writeFile(join(plugin, '.mmm/index.json.1234567'), '{');
  const { files } = await signBundle(plugin, identity, key);
  assert.equal(files, 3);
  assert.deepEqual((await readdir(join(plugin, '.mmm'))).sort(), ['index.json', 'signatures.json']);
});

test('refuses to write when .mmm, or a file in it, leads elsewhere', async (t) => {
  const { plugin, key, home } = await signedPlugin(t);
  await rm(join(plugin, '.mmm/index.json'));
  await writeFile(join(home, 'victim'), 'precious');
  await symlink(join(home, 'victim'), join(plugin, '.mmm/index.json'));
  await assert.rejects(signBundle(plugin, identity, key), failsWith('BUNDLE_INVALID', { file: '.mmm/index.json' }));
  await rm(join(plugin, '.mmm'), { recursive: true });
  await symlink(home, join(plugin, '.mmm'));
  await assert.rejects(signBundle(plugin, identity, key), failsWith('BUNDLE_INVALID', { file: '.mmm' }));
  assert.equal(await readFile(join(home, 'victim'), 'utf8'), 'precious');
});

test('does not sign with a key that makes wrong signatures', async (t) => {
  const { plugin, key } = await signedPlugin(t);
  const broken = { ...key, sign: () => new Uint8Array(64) };
  await assert.rejects(signBundle(plugin, identity, broken), failsWith('KEY_INVALID'));
});
