import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, readdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { type BundleToStore, indexFolder, packArchive } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import { packedPlugin } from '../../../support/packed-plugin.ts';
import { identity, temporaryFolder, writeFiles } from '../../../support/plugin-folder.ts';

async function toStore(folder: string): Promise<BundleToStore> {
  const { index, bytes, sha256 } = await indexFolder(folder, identity);
  return { index, indexBytes: bytes, indexSha256: sha256 };
}

test('the same bundle gives the same bytes, wherever it lies and whatever its modes, dates and umask', async (t) => {
  const home = await temporaryFolder(t);
  const files = { 'plugin.toml': 'schema = 1\n', 'bin/run': '#!/bin/sh\n', 'bin/run-as-well': '1', 'bin.txt': '2' };
  const archives: Buffer[] = [];
  const before = process.umask();
  try {
    for (const [at, mask] of [0o022, 0o077, 0o000].entries()) {
      process.umask(mask);
      const folder = join(home, `folder-${at}`);
      // Written in another order, with other dates.
      const entries = Object.entries(files);
      await writeFiles(folder, Object.fromEntries(at === 1 ? entries.reverse() : entries));
      chmodSync(join(folder, 'bin/run'), [0o755, 0o700, 0o111 | 0o644][at] ?? 0);
      utimesSync(join(folder, 'bin.txt'), at * 1000, at * 1000);
      const output = join(home, `${at}.mmmp`);
      const { bytes, sha256 } = await packArchive(folder, await toStore(folder), output);
      const archive = readFileSync(output);
      assert.equal(bytes, archive.length);
      assert.equal(sha256, createHash('sha256').update(archive).digest('hex'));
      archives.push(archive);
    }
  } finally {
    process.umask(before);
  }
  assert.ok(archives.every((archive) => archive.equals(archives[0] ?? Buffer.alloc(0))));
  const golden = '34fb0eec644312722a31f0d4bdaf017bfe15eb7079013005360c5995a4e85e89';
  assert.equal(
    createHash('sha256')
      .update(archives[0] ?? '')
      .digest('hex'),
    golden,
  );
});

test('the index comes first, the signatures second, then the files as the index lists them', async (t) => {
  const { tar, bundle, archive } = await packedPlugin(t);
  assert.ok(gunzipSync(readFileSync(archive)).equals(tar));
  const names: string[] = [];
  for (let at = 0; tar[at] !== 0; ) {
    names.push(tar.subarray(at, tar.indexOf(0, at)).toString());
    const size = Number.parseInt(tar.subarray(at + 124, at + 135).toString(), 8);
    assert.equal(Number.parseInt(tar.subarray(at + 136, at + 147).toString(), 8), 0, 'no date');
    assert.equal(tar[at + 156], '0'.charCodeAt(0), 'a regular file');
    at += 512 + Math.ceil(size / 512) * 512;
  }
  assert.deepEqual(names, ['.mmm/index.json', '.mmm/signatures.json', ...bundle.index.files.map(({ path }) => path)]);
});

test('a folder that changed since it was indexed is not packed, and what lay there stays', async (t) => {
  const { plugin, bundle, home } = await packedPlugin(t);
  const output = join(home, 'out.mmmp');
  writeFileSync(output, 'what lay there');
  for (const content of ['#!/bin/sh\ncut\n', '#!/bin/sh\ncat\nmore\n', '']) {
    writeFileSync(join(plugin, 'bin/run'), content);
    const names = readdirSync(home);
    await assert.rejects(packArchive(plugin, bundle, output), (error) => {
      assert.ok(MmmError.is(error, 'BUNDLE_CHANGED'), String(error));
      return error.data.file === 'bin/run';
    });
    assert.deepEqual(readdirSync(home), names);
    assert.equal(readFileSync(output, 'utf8'), 'what lay there');
  }
});

test('paths as long as a bundle may have are packed, with folders in their own field', async (t) => {
  const home = await temporaryFolder(t);
  const folder = join(home, 'long');
  const long = `${'a'.repeat(90)}/${'b'.repeat(50)}/${'c'.repeat(58)}`;
  await writeFiles(folder, { 'plugin.toml': '', [long]: 'deep' });
  await packArchive(folder, await toStore(folder), join(home, 'long.mmmp'));
  const tar = gunzipSync(readFileSync(join(home, 'long.mmmp')));
  const at = tar.indexOf(`${'c'.repeat(58)}\0`);
  assert.equal(tar.indexOf(`${'a'.repeat(90)}/${'b'.repeat(50)}\0`), at + 345);
});
