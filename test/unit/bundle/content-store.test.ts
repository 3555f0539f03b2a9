import assert from 'node:assert/strict';
import {
  chmodSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { basename, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type BundleToStore, ContentStore, indexFolder, verifyBundle, verifySignedIndex } from '@mmm/bundle';
import { type ErrorData, MmmError } from '@mmm/protocol';
import { identity, now, type SignedPlugin, signedPlugin } from '../../support/plugin-folder.ts';

type Reason = ErrorData['BUNDLE_CHANGED']['reason'];
const changed = (reason?: Reason, file?: string) => (error: unknown) => {
  assert.ok(MmmError.is(error, 'BUNDLE_CHANGED'), String(error));
  if (reason !== undefined) assert.equal(error.data.reason, reason);
  if (file !== undefined) assert.equal(error.data.file, file);
  return true;
};

interface Stored extends SignedPlugin {
  readonly store: string;
  readonly content: ContentStore;
  readonly bundle: BundleToStore;
  readonly path: string;
  readonly record: string;
}

async function storedPlugin(t: TestContext): Promise<Stored> {
  const signed = await signedPlugin(t);
  const store = join(signed.home, 'store');
  const content = new ContentStore(store);
  const bundle = await verifyBundle(signed.plugin, { name: identity.name, trust: signed.trust, now });
  const path = await content.put(signed.plugin, bundle);
  return { ...signed, store, content, bundle, path, record: `${path}.identity.json` };
}

/** Does something to a read-only file or folder and makes it read-only again. */
function pry(folder: string, change: () => void): void {
  chmodSync(folder, 0o700);
  change();
  chmodSync(folder, 0o555);
}

/** Moves a read-only folder: an ordinary user must be able to write what changes its parent. */
function move(folder: string, target: string): void {
  chmodSync(folder, 0o700);
  renameSync(folder, target);
  chmodSync(target, 0o555);
}

test('what is put lies read-only under the sha256 of its index', async (t) => {
  const { content, path, bundle, record, trust, store } = await storedPlugin(t);
  assert.equal(basename(path), bundle.indexSha256);
  const modes: Record<string, number> = {
    '': 0o555,
    bin: 0o555,
    'bin/run': 0o555,
    lib: 0o555,
    'lib/a': 0o555,
    'lib/a/b.txt': 0o444,
    'plugin.toml': 0o444,
    '.mmm': 0o555,
    '.mmm/index.json': 0o444,
    '.mmm/signatures.json': 0o444,
  };
  for (const [file, mode] of Object.entries(modes)) assert.equal(lstatSync(join(path, file)).mode & 0o7777, mode, file);
  assert.equal(lstatSync(record).mode & 0o777, 0o600);
  assert.deepEqual(readdirSync(store).sort(), [bundle.indexSha256, `${bundle.indexSha256}.identity.json`]);
  assert.deepEqual(await content.list(), [bundle.indexSha256]);
  assert.equal(await content.check(bundle.indexSha256), path);
  await verifyBundle(path, { name: identity.name, trust, now });
});

test('putting again changes nothing', async (t) => {
  const { content, path, plugin, bundle } = await storedPlugin(t);
  const before = lstatSync(path, { bigint: true });
  assert.equal(await content.put(plugin, bundle), path);
  assert.deepEqual(lstatSync(path, { bigint: true }).ctimeNs, before.ctimeNs);
});

test('several that put the same bundle at once end with one', async (t) => {
  const { home, plugin, bundle } = await storedPlugin(t);
  const store = join(home, 'other-store');
  const paths = await Promise.all([1, 2, 3, 4].map(() => new ContentStore(store).put(plugin, bundle)));
  assert.equal(new Set(paths).size, 1);
  assert.deepEqual(
    readdirSync(store).filter((name) => name.startsWith('.')),
    [],
  );
  await new ContentStore(store).check(bundle.indexSha256);
});

test('a file changed between verification and copying is not stored', async (t) => {
  const { home, copy, trust } = await signedPlugin(t);
  const damages: readonly ((folder: string) => void)[] = [
    (folder) => writeFileSync(join(folder, 'bin/run'), '#!/bin/sh\nbad\n'),
    (folder) => rmSync(join(folder, 'plugin.toml')),
    (folder) => writeFileSync(join(folder, 'extra'), ''),
    (folder) => {
      renameSync(join(folder, 'bin'), join(home, `moved-${basename(folder)}`));
      symlinkSync(join(home, `moved-${basename(folder)}`), join(folder, 'bin'));
    },
  ];
  const store = join(home, 'store');
  for (const [at, damage] of damages.entries()) {
    const folder = await copy(`copy-${at}`);
    const bundle = await verifyBundle(folder, { name: identity.name, trust, now });
    damage(folder);
    await assert.rejects(new ContentStore(store).put(folder, bundle), changed());
    assert.deepEqual(readdirSync(store), []);
  }
});

test('a touched store is hashed, and goes on when the content is the same', async (t) => {
  const { content, path, bundle, record } = await storedPlugin(t);
  const before = readFileSync(record, 'utf8');
  utimesSync(join(path, 'bin/run'), 1, 1);
  await content.check(bundle.indexSha256);
  const after = readFileSync(record, 'utf8');
  assert.notEqual(after, before);
  for (const damaged of ['', '{', '[]', '{"schema":"mmm.identity/1","entries":[1]}']) {
    writeFileSync(record, damaged);
    await content.check(bundle.indexSha256);
    assert.equal(readFileSync(record, 'utf8'), after);
  }
  rmSync(record);
  await content.check(bundle.indexSha256);
  assert.equal(readFileSync(record, 'utf8'), after);
});

test('whatever is changed in the store is found, even with the old size and dates', async (t) => {
  const { content, path, bundle, plugin, home } = await storedPlugin(t);
  const run = join(path, 'bin/run');
  const { atime, mtime } = lstatSync(run);
  const damages: readonly [Reason, string, () => void][] = [
    [
      'changed',
      'bin/run',
      () => {
        chmodSync(run, 0o755);
        writeFileSync(run, '#!/bin/sh\nCAT\n');
        chmodSync(run, 0o555);
        utimesSync(run, atime, mtime);
      },
    ],
    ['missing', 'plugin.toml', () => pry(path, () => rmSync(join(path, 'plugin.toml')))],
    ['unlisted', 'extra', () => pry(path, () => writeFileSync(join(path, 'extra'), ''))],
    ['unlisted', 'lib/empty', () => pry(join(path, 'lib'), () => mkdirSync(join(path, 'lib/empty')))],
    ['unlisted', '.mmm/extra', () => pry(join(path, '.mmm'), () => writeFileSync(join(path, '.mmm/extra'), ''))],
    ['mode', 'plugin.toml', () => chmodSync(join(path, 'plugin.toml'), 0o644)],
    ['mode', 'bin/run', () => chmodSync(run, 0o4555)],
    ['mode', 'lib', () => chmodSync(join(path, 'lib'), 0o755)],
    ['mode', '.', () => chmodSync(path, 0o755)],
    ['mode', '.mmm', () => chmodSync(join(path, '.mmm'), 0o755)],
    ['not_a_file', 'bin/run', () => linkSync(run, join(home, 'second-name'))],
    [
      'not_a_file',
      'bin',
      () =>
        pry(path, () => {
          move(join(path, 'bin'), join(home, 'bin'));
          symlinkSync(join(home, 'bin'), join(path, 'bin'));
        }),
    ],
    [
      'changed',
      '.mmm/index.json',
      () => {
        chmodSync(join(path, '.mmm/index.json'), 0o644);
        writeFileSync(join(path, '.mmm/index.json'), '{}');
        chmodSync(join(path, '.mmm/index.json'), 0o444);
      },
    ],
    [
      'not_a_file',
      '.',
      () => {
        move(path, join(home, 'moved'));
        symlinkSync(join(home, 'moved'), path);
      },
    ],
    ['missing', '.', () => move(path, join(home, 'gone'))],
  ];
  for (const [reason, file, damage] of damages) {
    await content.check(bundle.indexSha256);
    damage();
    await assert.rejects(content.check(bundle.indexSha256), changed(reason, file));
    await assert.rejects(content.check(bundle.indexSha256), changed(reason, file));
    await content.put(plugin, bundle);
  }
});

test('a bundle stored unsigned gets its signatures when it is put with them', async (t) => {
  const { plugin, home, trust } = await signedPlugin(t);
  const content = new ContentStore(join(home, 'store'));
  const { index, bytes, sha256 } = await indexFolder(plugin, identity);
  const path = await content.put(plugin, { index, indexBytes: bytes, indexSha256: sha256 });
  const options = { name: identity.name, trust, now };
  await assert.rejects(verifySignedIndex(path, options), (error) => MmmError.is(error, 'SIGNATURE_MISSING'));
  await content.check(sha256);
  await content.put(plugin, await verifyBundle(plugin, options));
  await content.check(sha256);
  await verifySignedIndex(path, options);
  assert.equal(lstatSync(join(path, '.mmm')).mode & 0o777, 0o555);
});

test('what a killed process left is removed at the next put, what a living one writes is not', async (t) => {
  const { content, store, plugin, bundle } = await storedPlugin(t);
  const dead = join(store, `.staging-99999999-${'a'.repeat(16)}`);
  const own = join(store, `.staging-${process.pid}-${'b'.repeat(16)}`);
  const living = join(store, `.staging-1-${'c'.repeat(16)}`);
  for (const folder of [dead, own, living]) {
    mkdirSync(join(folder, 'bin'), { recursive: true });
    writeFileSync(join(folder, 'bin/run'), '');
    chmodSync(join(folder, 'bin'), 0o555);
  }
  await content.put(plugin, bundle);
  assert.deepEqual(
    readdirSync(store).filter((name) => name.startsWith('.')),
    [basename(living)],
  );
  chmodSync(join(living, 'bin'), 0o755);
});

test('removing takes the bundle and its record, and follows no link', async (t) => {
  const { content, store, path, bundle, home } = await storedPlugin(t);
  mkdirSync(join(home, 'victim'));
  writeFileSync(join(home, 'victim/file'), 'precious');
  pry(path, () => symlinkSync(join(home, 'victim'), join(path, 'link')));
  await content.remove(bundle.indexSha256);
  await content.remove(bundle.indexSha256);
  assert.deepEqual(readdirSync(store), []);
  assert.equal(readFileSync(join(home, 'victim/file'), 'utf8'), 'precious');
  assert.deepEqual(await content.list(), []);
  assert.deepEqual(await new ContentStore(join(home, 'none')).list(), []);
});

test('a bundle that is moved aside is out of its place at once, and off the disk soon after', async (t) => {
  const { content, store, bundle } = await storedPlugin(t);
  const discard = content.moveAside(bundle.indexSha256);
  assert.deepEqual(await content.list(), []);
  await content.clean();
  await discard();
  assert.deepEqual(readdirSync(store), []);
  await content.moveAside(bundle.indexSha256)();
});

test('nothing but a sha256 names a bundle', async (t) => {
  const { content } = await storedPlugin(t);
  for (const name of ['..', '../keys', '', 'A'.repeat(64), `${'a'.repeat(64)}/..`]) {
    await assert.rejects(content.check(name), (error) => MmmError.is(error, 'INTERNAL'));
    await assert.rejects(content.remove(name), (error) => MmmError.is(error, 'INTERNAL'));
  }
});

test('an index is not stored under the sha256 of another', async (t) => {
  const { content, plugin, bundle } = await storedPlugin(t);
  await assert.rejects(content.put(plugin, { ...bundle, indexSha256: 'a'.repeat(64) }), (error) =>
    MmmError.is(error, 'INTERNAL'),
  );
});
