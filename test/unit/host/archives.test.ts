import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { addSignature, indexFolder, packArchive } from '@mmm/bundle';
import { createHost, type ErrorCode, type Host, MmmError } from '@mmm/host';
import { copyFixture, fixtureHost } from '../../support/fixture-host.ts';

interface Scene {
  readonly host: Host;
  readonly home: string;
  readonly directory: string;
  readonly folder: string;
  readonly archive: string;
}

/** A host that trusts its own key, and the plugin `echo` signed with it and packed. */
async function scene(t: TestContext): Promise<Scene> {
  const { host, home, directory } = await fixtureHost(t, []);
  const folder = copyFixture({ behaviour: 'echo' }, directory);
  await host.sign(folder);
  const { file } = await host.package(folder, directory);
  return { host, home, directory, folder, archive: file };
}

const failsWith = (code: ErrorCode, words?: RegExp) => (error: unknown) => {
  assert.ok(MmmError.is(error, code), String(error));
  if (words !== undefined) assert.match(error.message, words);
  return true;
};

test('an archive is named after the plugin in a folder, and as wished otherwise', async (t) => {
  const { host, directory, folder, archive } = await scene(t);
  assert.equal(archive, join(directory, 'echo-1.0.0.mmmp'));
  writeFileSync(join(directory, 'x'), 'what lay there');
  const packed = await host.package(folder, join(directory, 'x'));
  assert.equal(packed.file, join(directory, 'x'));
  assert.ok(readFileSync(archive).equals(readFileSync(packed.file)));
  await assert.rejects(host.package('relative', directory), failsWith('CONFIG_INVALID'));
  await assert.rejects(host.package(folder, 'relative'), failsWith('CONFIG_INVALID'));
  await assert.rejects(host.package(archive, directory), failsWith('MANIFEST_UNREADABLE'));
  await assert.rejects(host.package(folder, join(directory, 'none/x.mmmp')), failsWith('USAGE', /ENOENT/));
});

test('what could not be installed is not packed either', async (t) => {
  const { host, directory, folder } = await scene(t);
  const manifest = readFileSync(join(folder, 'plugin.toml'), 'utf8');
  writeFileSync(join(folder, 'plugin.toml'), manifest.replace('main.cjs', 'gone.cjs'));
  await assert.rejects(host.package(folder, join(directory, 'y.mmmp')), failsWith('MANIFEST_INVALID', /gone\.cjs/));
  assert.equal(existsSync(join(directory, 'y.mmmp')), false);
});

test('signatures over other files than those that lie there are not packed', async (t) => {
  const { host, directory, folder } = await scene(t);
  writeFileSync(join(folder, 'more.txt'), 'x');
  const { keyids } = await host.package(folder, join(directory, 'z.mmmp'));
  assert.deepEqual(keyids, []);
  assert.equal((await host.inspect(join(directory, 'z.mmmp'))).problem?.code, 'SIGNATURE_MISSING');
});

test('inspecting says the same of a folder, its archive and what was installed from it', async (t) => {
  const { host, folder, archive } = await scene(t);
  await host.install(archive);
  const reports = [await host.inspect(folder), await host.inspect(archive), await host.inspect('echo')];
  assert.deepEqual(
    reports.map(({ kind }) => kind),
    ['folder', 'archive', 'installed'],
  );
  const [first, ...others] = reports.map(({ kind: _, archiveBytes: __, manifest: ___, ...rest }) => rest);
  for (const other of others) assert.deepEqual(other, first);
  assert.equal(reports[1]?.archiveBytes, readFileSync(archive).length);
  assert.equal(first?.problem, null);
  assert.deepEqual(
    first?.files.map(({ path }) => path),
    ['main.cjs', 'plugin.toml'],
  );
});

test('inspecting an archive leaves nothing behind, trusted or not, whole or not', async (t) => {
  const { archive, directory } = await scene(t);
  const home = join(directory, 'stranger');
  const host = await createHost({ home });
  t.after(() => host.close());
  const { problem, signatures } = await host.inspect(archive);
  assert.equal(problem?.code, 'SIGNATURE_UNTRUSTED');
  assert.deepEqual(
    signatures.map(({ keyName }) => keyName),
    [null],
  );
  writeFileSync(archive, readFileSync(archive).subarray(0, -20));
  await assert.rejects(host.inspect(archive), failsWith('BUNDLE_INVALID'));
  assert.deepEqual(readdirSync(join(home, 'store')), []);
});

test('a plugin for another machine can be looked at, packed and signed, and says that it does not fit', async (t) => {
  const { host, directory, folder } = await scene(t);
  const manifest = readFileSync(join(folder, 'plugin.toml'), 'utf8');
  writeFileSync(join(folder, 'plugin.toml'), manifest.replace('license', 'mmm = ">=99"\nlicense'));
  await host.sign(folder);
  const { file } = await host.package(folder, join(directory, 'future.mmmp'));
  await host.sign(file);
  assert.match((await host.inspect(file)).incompatible ?? '', /needs mmm >=99/);
  await assert.rejects(host.install(file), failsWith('PLUGIN_INCOMPATIBLE'));
});

test('an index that is about another plugin than its manifest is refused, whoever signed it', async (t) => {
  const { host, home, directory, folder } = await scene(t);
  const key = await host.keys.get();
  for (const [name, version] of [
    ['other', '1.0.0'],
    ['echo', '9.0.0'],
  ] as const) {
    const { index, bytes, sha256 } = await indexFolder(folder, { name, version, manifest: 'plugin.toml' });
    const signatures = await addSignature(bytes, undefined, key);
    const file = join(directory, 'mixed.mmmp');
    await packArchive(folder, { index, indexBytes: bytes, indexSha256: sha256, signatures }, file);
    for (const method of ['install', 'verify', 'inspect', 'sign'] as const) {
      await assert.rejects(host[method](file), failsWith('BUNDLE_INVALID', /mixed\.mmmp.* is about/));
    }
  }
  assert.deepEqual(readdirSync(join(home, 'store')), []);
});

test('the exception for unsigned plugins is none for one that a stranger signed; that is audited', async (t) => {
  const { archive, directory } = await scene(t);
  const host = await createHost({ home: join(directory, 'stranger') });
  t.after(() => host.close());
  await assert.rejects(host.install(archive, { allowUnsigned: 'echo' }), failsWith('SIGNATURE_UNTRUSTED'));
  const log = readFileSync(join(directory, 'stranger/audit/audit.jsonl'), 'utf8');
  assert.match(log, /"action":"refused","plugin":"echo-1\.0\.0\.mmmp".*SIGNATURE_UNTRUSTED/);
});

test('a manifest that is wrong in an archive is reported with the place in the archive', async (t) => {
  const { host, directory, folder } = await scene(t);
  writeFileSync(join(folder, 'plugin.toml'), 'schema = 2\n');
  const { index, bytes, sha256 } = await indexFolder(folder, {
    name: 'echo',
    version: '1.0.0',
    manifest: 'plugin.toml',
  });
  const signatures = await addSignature(bytes, undefined, await host.keys.get());
  const file = join(directory, 'broken.mmmp');
  await packArchive(folder, { index, indexBytes: bytes, indexSha256: sha256, signatures }, file);
  await assert.rejects(host.install(file), (error) => {
    assert.ok(MmmError.is(error, 'MANIFEST_INVALID'), String(error));
    assert.ok(error.message.includes(`${file}/plugin.toml:1:`), error.message);
    assert.equal(error.data.file, join(file, 'plugin.toml'));
    return true;
  });
});

test('installing from an archive and from its folder end with the same bundle in the store', async (t) => {
  const { host, home, directory, folder, archive } = await scene(t);
  const fromArchive = await host.install(archive);
  const store = join(home, 'store', fromArchive.bundleSha256);
  cpSync(store, join(directory, 'copy'), { recursive: true });
  const again = await host.install(folder);
  assert.equal(again.bundleSha256, fromArchive.bundleSha256);
  assert.equal(again.change, 'reinstalled');
  for (const file of ['.mmm/index.json', '.mmm/signatures.json', 'main.cjs', 'plugin.toml']) {
    assert.ok(readFileSync(join(store, file)).equals(readFileSync(join(directory, 'copy', file))), file);
  }
});
