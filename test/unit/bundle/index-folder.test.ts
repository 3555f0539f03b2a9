import assert from 'node:assert/strict';
import { chmod, link, mkdir, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { bundleLimits, indexFolder, parseIndex, serialiseIndex } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import { identity, temporaryFolder, writeFiles } from '../../support/plugin-folder.ts';

const isInvalid = (file: string) => (error: unknown) =>
  MmmError.is(error, 'BUNDLE_INVALID') && error.data.file === file;

test('writes the same bytes for the same files, whatever their dates, modes and order', async (t) => {
  const [a, b] = [await temporaryFolder(t), await temporaryFolder(t)];
  const files = { 'plugin.toml': 'x', 'bin/run': '#!/bin/sh', 'bin.txt': '', 'B/z': 'z' };
  await writeFiles(a, files);
  await writeFiles(b, Object.fromEntries(Object.entries(files).reverse()));
  await chmod(join(b, 'bin/run'), 0o4711);
  await chmod(join(b, 'plugin.toml'), 0o600);
  await utimes(join(b, 'plugin.toml'), 1, 1);
  await mkdir(join(b, 'empty'));
  const [one, two] = [await indexFolder(a, identity), await indexFolder(b, identity)];
  assert.equal(Buffer.from(one.bytes).toString(), Buffer.from(two.bytes).toString());
  assert.equal(one.sha256, two.sha256);
  assert.deepEqual(
    one.index.files.map(({ path, mode }) => `${mode} ${path}`),
    ['0444 B/z', '0444 bin.txt', '0555 bin/run', '0444 plugin.toml'],
  );
  assert.equal(
    Buffer.from(one.bytes).toString(),
    [
      '{"schema":"mmm.bundle/1","name":"acme/echo","version":"1.2.3","manifest":"plugin.toml","files":[',
      '{"path":"B/z","size":1,"mode":"0444","sha256":"594e519ae499312b29433b7dd8a97ff0' +
        '68defcba9755b6d5d00e84c524d67b06"},',
      '{"path":"bin.txt","size":0,"mode":"0444","sha256":"e3b0c44298fc1c149afbf4c8996fb924' +
        '27ae41e4649b934ca495991b7852b855"},',
      '{"path":"bin/run","size":9,"mode":"0555","sha256":"3af71adb278ad4af33c144b78fa1ae70' +
        '8da03b773d98324ae991a7daedb53ca2"},',
      '{"path":"plugin.toml","size":1,"mode":"0444","sha256":"2d711642b726b04401627ca9fbac32f5' +
        'c8530fb1903cc4db02258717921a4881"}',
      ']}',
      '',
    ].join('\n'),
  );
});

test('refuses links of both kinds, sockets, and anything else that is no plain file', async (t) => {
  const folder = await temporaryFolder(t);
  const outside = await temporaryFolder(t);
  await writeFiles(folder, { 'plugin.toml': 'x' });
  await writeFiles(outside, { secret: 's', 'inner/file': 'f' });
  const odd = join(folder, 'odd');
  for (const target of [join(outside, 'secret'), join(outside, 'inner'), 'plugin.toml', 'nowhere']) {
    await symlink(target, odd);
    await assert.rejects(indexFolder(folder, identity), isInvalid('odd'));
    await rm(odd);
  }
  await link(join(outside, 'secret'), odd);
  await assert.rejects(indexFolder(folder, identity), /second name/);
  await rm(odd);
  const server = createServer();
  await new Promise<void>((resolve) => void server.listen(odd, resolve));
  await assert.rejects(indexFolder(folder, identity), /is a socket/);
  server.close();
});

test('refuses names that not every file system has', async (t) => {
  for (const name of ['a:b', 'con', 'é', 'end.', 'line\nbreak', 'back\\slash', '.MMM', 'a'.repeat(201)]) {
    const folder = await temporaryFolder(t);
    await writeFiles(folder, { 'plugin.toml': 'x' });
    await writeFile(join(folder, name), '').catch(() =>
      mkdir(join(folder, 'd'.repeat(100), 'e'.repeat(100)), { recursive: true }),
    );
    await writeFile(join(folder, 'd'.repeat(100), 'e'.repeat(100), 'f'), '').catch(() => undefined);
    await assert.rejects(
      indexFolder(folder, identity),
      (error) => MmmError.is(error, 'BUNDLE_INVALID'),
      JSON.stringify(name),
    );
  }
});

test('refuses twins that differ in case, too deep folders, and strangers in .mmm', async (t) => {
  const twins = await temporaryFolder(t);
  await writeFiles(twins, { 'plugin.toml': 'x', 'a/x': '', 'A/y': '' });
  await assert.rejects(indexFolder(twins, identity), /also spelt/);
  const deep = await temporaryFolder(t);
  await writeFiles(deep, { 'plugin.toml': 'x', [Array.from({ length: 17 }, () => 'd').join('/')]: '' });
  await assert.rejects(indexFolder(deep, identity), /16 folders deep/);
  const metadata = await temporaryFolder(t);
  await writeFiles(metadata, { 'plugin.toml': 'x', '.mmm/evil.js': '' });
  await assert.rejects(indexFolder(metadata, identity), isInvalid('.mmm/evil.js'));
});

test('refuses a file above the limit', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFiles(folder, { 'plugin.toml': 'x', big: '' });
  await truncate(join(folder, 'big'), bundleLimits.fileBytes + 1);
  await assert.rejects(indexFolder(folder, identity), isInvalid('big'));
  await rm(join(folder, 'big'));
});

test('refuses a folder without its manifest, and one that is not there', async (t) => {
  const folder = await temporaryFolder(t);
  await writeFiles(folder, { 'plugin.yaml': 'x' });
  await assert.rejects(indexFolder(folder, identity), isInvalid('plugin.toml'));
  await assert.rejects(indexFolder(join(folder, 'nowhere'), identity), isInvalid('.'));
  await assert.rejects(indexFolder(join(folder, 'plugin.yaml'), identity), isInvalid('.'));
  await assert.rejects(
    indexFolder(folder, { ...identity, manifest: 'plugin.yaml', name: '../x' }),
    isInvalid('plugin.yaml'),
  );
});

const file = { path: 'plugin.toml', size: 1, mode: '0444', sha256: 'a'.repeat(64) } as const;
const index = { schema: 'mmm.bundle/1', ...identity, files: [file] } as const;
const write = (changes: object) => serialiseIndex({ ...index, ...changes });
const other = (changes: object) => ({ ...file, ...changes });
const manyFiles = Array.from({ length: bundleLimits.files }, (_, at) => other({ path: String(10_000 + at) }));
const refused: readonly [string, Uint8Array][] = [
  ['more files than the limit', write({ files: [...manyFiles, file] })],
  ['text that is not JSON', Buffer.from('{')],
  ['bytes that are not UTF-8', Buffer.concat([serialiseIndex(index), Buffer.from([0xff])])],
  ['a byte order mark', Buffer.concat([Buffer.from('\ufeff'), serialiseIndex(index)])],
  ['another schema', write({ schema: 'mmm.bundle/2' })],
  ['a name that is a path', write({ name: '../x' })],
  ['a version that is none', write({ version: '1' })],
  ['another manifest', write({ manifest: 'package.json' })],
  ['no manifest among the files', write({ files: [other({ path: 'a' })] })],
  ['a path out of the folder', write({ files: [other({ path: '../plugin.toml' }), file] })],
  ['an absolute path', write({ files: [other({ path: '/etc/x' }), file] })],
  ['our own folder', write({ files: [other({ path: '.mmm/index.json' }), file] })],
  ['a file twice', write({ files: [file, file] })],
  ['files that are not sorted', write({ files: [other({ path: 'z' }), file] })],
  ['twins', write({ files: [other({ path: 'Plugin.toml' }), file] })],
  ['a negative size', write({ files: [other({ size: -1 })] })],
  ['a size above the limit', write({ files: [other({ size: bundleLimits.fileBytes + 1 })] })],
  [
    'sizes that are too much together',
    write({
      files: [...['a', 'b', 'c'].map((path) => other({ path, size: bundleLimits.fileBytes })), file],
    }),
  ],
  ['a writable mode', write({ files: [other({ mode: '0755' })] })],
  ['a sha256 in capitals', write({ files: [other({ sha256: 'A'.repeat(64) })] })],
  [
    'an unknown key',
    Buffer.from(Buffer.from(serialiseIndex(index)).toString().replace('"files"', '"extra":1,"files"')),
  ],
  [
    'a key that comes twice',
    Buffer.from(Buffer.from(serialiseIndex(index)).toString().replace('{"schema"', '{"name":"evil","schema"')),
  ],
  [
    'another spelling of a number',
    Buffer.from(Buffer.from(serialiseIndex(index)).toString().replace('"size":1', '"size":1.0')),
  ],
  ['other white space', Buffer.from(`${Buffer.from(serialiseIndex(index)).toString()} `)],
  ['more than a mebibyte', Buffer.alloc(bundleLimits.indexBytes + 1, ' ')],
  [
    '__proto__',
    Buffer.from(Buffer.from(serialiseIndex(index)).toString().replace('"files"', '"__proto__":{"x":1},"files"')),
  ],
];

test('reads back what was written', () => assert.deepEqual(parseIndex(serialiseIndex(index), '/x'), index));
for (const [title, bytes] of refused) {
  test(`refuses ${title}`, () => {
    assert.throws(
      () => parseIndex(bytes, '/x'),
      (error) => MmmError.is(error, 'BUNDLE_INVALID') && error.data.file === '.mmm/index.json',
    );
  });
}
