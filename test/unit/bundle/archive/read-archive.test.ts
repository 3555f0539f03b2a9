import assert from 'node:assert/strict';
import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { BundleArchive, ContentStore, indexFolder, packArchive, serialiseIndex } from '@mmm/bundle';
import { type ErrorCode, MmmError } from '@mmm/protocol';
import { gzipTrailerBytes } from '../../../../packages/bundle/src/archive/gzip-frame.ts';
import { tarHeader } from '../../../../packages/bundle/src/archive/tar-header.ts';
import { deflated, frame, type PackedPlugin, packedPlugin, tree, unpack } from '../../../support/packed-plugin.ts';
import { identity, temporaryFolder, writeFiles } from '../../../support/plugin-folder.ts';

async function refusal(plugin: PackedPlugin, file: string): Promise<MmmError> {
  let thrown: unknown;
  await unpack(plugin, file).catch((error: unknown) => {
    thrown = error;
  });
  assert.ok(thrown instanceof MmmError, String(thrown));
  const store = join(plugin.home, 'store');
  if (existsSync(store)) assert.deepEqual(readdirSync(store), [], 'nothing is left behind');
  return thrown;
}

async function refused(plugin: PackedPlugin, file: string, code: ErrorCode, words: RegExp): Promise<void> {
  const error = await refusal(plugin, file);
  assert.equal(error.code, code, error.message);
  assert.match(error.message, words);
}

test('what was packed comes out again, and can be kept in the store', async (t) => {
  const plugin = await packedPlugin(t);
  const { files } = await unpack(plugin, plugin.archive);
  assert.deepEqual(files, tree(plugin.plugin));
  const content = new ContentStore(join(plugin.home, 'store'));
  const archive = await BundleArchive.open(plugin.archive);
  assert.equal(archive.bytes, readFileSync(plugin.archive).length);
  const staged = await content.stage(archive);
  archive.close();
  archive.close();
  const place = await content.keep(staged);
  assert.equal(place, join(plugin.home, 'store', plugin.bundle.indexSha256));
  assert.deepEqual(tree(place), tree(plugin.plugin));
  await content.discard(staged);
  assert.equal(await content.check(plugin.bundle.indexSha256), place);
});

test('an archive that is cut off anywhere is refused', async (t) => {
  const plugin = await packedPlugin(t);
  const bytes = readFileSync(plugin.archive);
  const file = join(plugin.home, 'short.mmmp');
  for (let length = 0; length < bytes.length; length += 7) {
    writeFileSync(file, bytes.subarray(0, length));
    const { code } = await refusal(plugin, file);
    assert.ok(code === 'BUNDLE_INVALID' || code === 'SIGNATURE_REJECTED', `${length}: ${code}`);
  }
});

test('another frame than ours is refused: flags, dates, second members, bytes in front and behind', async (t) => {
  const plugin = await packedPlugin(t);
  const bytes = readFileSync(plugin.archive);
  const deflate = bytes.subarray(10, -gzipTrailerBytes);
  const trailer = bytes.subarray(-gzipTrailerBytes);
  const header = (change: (header: Buffer) => void): Buffer => {
    const changed = Buffer.from(bytes);
    change(changed);
    return changed;
  };
  const frames: Record<string, readonly [Buffer, RegExp]> = {
    'gzip of zlib': [gzipSync(plugin.tar), /is not what/],
    'a date': [header((copy) => copy.writeUInt32LE(1, 4)), /is not what/],
    'a file name': [Buffer.concat([Buffer.from('1f8b08080000000000ff6100', 'hex'), deflate, trailer]), /is not what/],
    'a second member': [Buffer.concat([bytes, bytes]), /more bytes after its end/],
    'an empty second member': [Buffer.concat([bytes, frame(Buffer.alloc(0))]), /more bytes after its end/],
    'one byte behind': [Buffer.concat([bytes, Buffer.alloc(1)]), /more bytes after its end/],
    'one byte before the trailer': [
      Buffer.concat([bytes.subarray(0, 10), deflate, Buffer.alloc(1), trailer]),
      /more bytes after its end/,
    ],
    'one byte in front': [Buffer.concat([Buffer.alloc(1), bytes]), /is not what/],
    'another checksum': [Buffer.concat([bytes.subarray(0, -8), Buffer.alloc(4), trailer.subarray(4)]), /checksum/],
    'another length': [Buffer.concat([bytes.subarray(0, -4), Buffer.alloc(4)]), /checksum/],
    'a zip': [Buffer.from('504b0304'.padEnd(100, '0'), 'hex'), /is not what/],
    nothing: [Buffer.alloc(0), /is not what/],
  };
  for (const [title, [content, words]] of Object.entries(frames)) {
    writeFileSync(join(plugin.home, 'frame.mmmp'), content);
    await t.test(title, () => refused(plugin, join(plugin.home, 'frame.mmmp'), 'BUNDLE_INVALID', words));
  }
});

/** Replaces the header at an offset of the tar. */
function withHeader(tar: Buffer, at: number, change: (header: Buffer) => void, checksum = true): Buffer {
  const copy = Buffer.from(tar);
  const header = copy.subarray(at, at + 512);
  change(header);
  if (!checksum) return copy;
  header.fill(' ', 148, 156);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return copy;
}

test('a tar that is not exactly the one of its index is refused', async (t) => {
  const plugin = await packedPlugin(t);
  const { tar } = plugin;
  const at = tar.indexOf('bin/run\0');
  const entry = (path: string, size = 0, type = '0', link = ''): Buffer => {
    const made = withHeader(tarHeader({ path, size, mode: '0444' }), 0, (header) => {
      header.write(type, 156);
      header.write(link, 157);
    });
    return Buffer.concat([made, Buffer.alloc(Math.ceil(size / 512) * 512)]);
  };
  const before = (...entries: Buffer[]): Buffer => Buffer.concat([tar.subarray(0, at), ...entries, tar.subarray(at)]);
  const atEnd = (...entries: Buffer[]): Buffer =>
    Buffer.concat([tar.subarray(0, -1024), ...entries, Buffer.alloc(1024)]);
  const tars: Record<string, Buffer> = {
    'a path that climbs': before(entry('../evil')),
    'an absolute path': before(entry('/etc/evil')),
    'a link': before(entry('bin/link', 0, '2', '/etc/passwd')),
    'a hard link': before(entry('bin/hard', 0, '1', '/etc/passwd')),
    'a device': before(entry('bin/device', 0, '3')),
    'a pipe': before(entry('bin/pipe', 0, '6')),
    'a folder': before(entry('bin/', 0, '5')),
    'a long name of GNU': before(entry('././@LongLink', 512, 'L')),
    'an extended header': before(entry('PaxHeader/run', 512, 'x')),
    'a global extended header': before(entry('pax_global_header', 512, 'g')),
    'a file that is not listed': atEnd(entry('more', 512)),
    'a file twice': Buffer.concat([tar.subarray(0, at + 1024), tar.subarray(at)]),
    'a file that is missing': Buffer.concat([tar.subarray(0, at), tar.subarray(at + 1024)]),
    'another order': Buffer.concat([
      tar.subarray(0, at),
      tar.subarray(at + 1024, at + 2048),
      tar.subarray(at, at + 1024),
      tar.subarray(at + 2048),
    ]),
    'a set-uid bit': withHeader(tar, at, (header) => header.write('0004755', 100)),
    'another mode': withHeader(tar, at, (header) => header.write('0000755', 100)),
    'an owner': withHeader(tar, at, (header) => header.write('0001750', 108)),
    'a name of an owner': withHeader(tar, at, (header) => header.write('root', 265)),
    'a date': withHeader(tar, at, (header) => header.write('00000000001', 136)),
    'another spelling of the size': withHeader(tar, at, (header) => header.write('         14', 124)),
    'a size in base 256': withHeader(tar, at, (header) => header.writeUInt32BE(0x80000000, 124)),
    'bytes behind the name': withHeader(tar, at, (header) => header.write('x', 50)),
    'another checksum': withHeader(tar, at, (header) => header.write('7', 148), false),
    'padding that is not zero': withHeader(tar, at + 1023, () => undefined, false).fill(1, at + 1023, at + 1024),
    'no end': tar.subarray(0, -1024),
    'half an end': tar.subarray(0, -512),
    'an end with something in it': Buffer.from(tar).fill(1, tar.length - 1),
    'a third block of zeros': Buffer.concat([tar, Buffer.alloc(512)]),
    'another tar behind it': Buffer.concat([tar, tar]),
    'the signatures first': Buffer.concat([
      tar.subarray(tar.indexOf('.mmm/signatures.json\0')),
      tar.subarray(0, tar.indexOf('.mmm/signatures.json\0')),
    ]),
    'the signatures twice': before(tar.subarray(tar.indexOf('.mmm/signatures.json\0'), at)),
    'no index': tar.subarray(tar.indexOf('.mmm/signatures.json\0')),
    'an index of another mode': withHeader(tar, 0, (header) => header.write('0000555', 100)),
    'an index of a gigabyte': withHeader(tar, 0, (header) => header.write('10000000000', 124)),
    'signatures of a megabyte': withHeader(tar, tar.indexOf('.mmm/signatures.json\0'), (header) => {
      header.write('00004000000', 124);
    }),
    nothing: Buffer.alloc(0),
  };
  for (const [title, content] of Object.entries(tars)) {
    await t.test(title, () => refused(plugin, plugin.rebuilt('tar.mmmp', content), 'BUNDLE_INVALID', /archive/));
  }
  const run = at + 512;
  const other = Buffer.from(tar);
  other[run] = 0x20;
  await refused(plugin, plugin.rebuilt('tar.mmmp', other), 'BUNDLE_CHANGED', /bin\/run is not what was signed/);
  await unpack(plugin, plugin.rebuilt('tar.mmmp', tar));
});

test('an index with a path that may not be is refused although its archive fits', async (t) => {
  const plugin = await packedPlugin(t);
  const content = new ContentStore(join(plugin.home, 'store'));
  for (const path of ['../up', '/abs', 'a\\b', 'CON', 'a/../b', '.mmm/x', `a/${'b'.repeat(101)}`, 'x:y', 'a\u0007']) {
    const files = [
      ...plugin.bundle.index.files.slice(-1),
      { path, size: 0, mode: '0444', sha256: 'e'.repeat(64) } as const,
    ];
    const indexBytes = serialiseIndex({
      ...plugin.bundle.index,
      files: files.sort((a, b) => (a.path < b.path ? -1 : 1)),
    });
    const tar = Buffer.concat([
      tarHeader({ path: '.mmm/index.json', size: indexBytes.length, mode: '0444' }),
      indexBytes,
      Buffer.alloc((512 - (indexBytes.length % 512)) % 512),
      Buffer.alloc(1024),
    ]);
    const archive = await BundleArchive.open(plugin.rebuilt('path.mmmp', tar));
    await assert.rejects(content.stage(archive), (error) => MmmError.is(error, 'BUNDLE_INVALID'), path);
    archive.close();
    assert.equal(existsSync(join(plugin.home, 'up')), false);
  }
});

test('what would grow more than two hundredfold is refused before a file of it is unpacked', async (t) => {
  const home = await temporaryFolder(t);
  const folder = join(home, 'zeros');
  await writeFiles(folder, { 'plugin.toml': '' });
  writeFileSync(join(folder, 'zeros'), Buffer.alloc(16 * 1024 * 1024));
  const { index, bytes, sha256 } = await indexFolder(folder, identity);
  const ours = join(home, 'zeros.mmmp');
  await packArchive(folder, { index, indexBytes: bytes, indexSha256: sha256 }, ours);
  const content = new ContentStore(join(home, 'store'));
  const archive = await BundleArchive.open(ours);
  await content.discard(await content.stage(archive));
  archive.close();
  // The same tar as zlib packs it, a thousandfold.
  const { inflateRawSync, deflateRawSync } = await import('node:zlib');
  const packed = readFileSync(ours);
  const tar = inflateRawSync(packed.subarray(10, -gzipTrailerBytes));
  const bomb = join(home, 'bomb.mmmp');
  writeFileSync(bomb, packed.subarray(0, 10));
  appendFileSync(bomb, deflateRawSync(tar, { level: 9 }));
  appendFileSync(bomb, packed.subarray(-gzipTrailerBytes));
  const opened = await BundleArchive.open(bomb);
  await assert.rejects(content.stage(opened), /would grow more than 200-fold/);
  opened.close();
  assert.deepEqual(readdirSync(join(home, 'store')), []);
});

test('a folder, a missing file and a file beyond the limit are no archives', async (t: TestContext) => {
  const home = await temporaryFolder(t);
  mkdirSync(join(home, 'folder.mmmp'));
  writeFileSync(join(home, 'large.mmmp'), '');
  const { truncateSync } = await import('node:fs');
  truncateSync(join(home, 'large.mmmp'), 300 * 1024 * 1024);
  const cases = {
    'folder.mmmp': /regular file/,
    'none.mmmp': /cannot be opened \(ENOENT\)/,
    'large.mmmp': /more than/,
  };
  for (const [name, words] of Object.entries(cases)) {
    await assert.rejects(BundleArchive.open(join(home, name)), (error) => {
      assert.ok(MmmError.is(error, 'BUNDLE_INVALID'), String(error));
      assert.match(error.message, words);
      return true;
    });
  }
});

test('bytes after the last block of the compressed stream are found even where zlib stops reading', async (t) => {
  const plugin = await packedPlugin(t);
  const packed = readFileSync(plugin.archive);
  const more = Buffer.concat([
    packed.subarray(0, 10),
    deflated(plugin.tar),
    Buffer.alloc(600_000),
    packed.subarray(-8),
  ]);
  writeFileSync(join(plugin.home, 'more.mmmp'), more);
  await refused(plugin, join(plugin.home, 'more.mmmp'), 'BUNDLE_INVALID', /more bytes after its end/);
});
