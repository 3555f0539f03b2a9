import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { generateKeyPairSync } from 'node:crypto';
import { chmod, chown, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { ContentStore, indexFolder, parsePublicKey, TrustStore, verifyBundle, verifyStrict } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import { unreachableFor } from '../support/ordinary-user.ts';
import { identity, now, signedPlugin, temporaryFolder, writeFiles } from '../support/plugin-folder.ts';

const run = promisify(execFile);
const programs = join(import.meta.dirname, '../fixtures/programs');
const runtime = ['--import', 'tsx', '--conditions=mmm-source'];

test('a pipe in the place of a file is refused at once, not waited for', async (t) => {
  const { plugin, trust } = await signedPlugin(t);
  const bundle = await verifyBundle(plugin, { name: identity.name, trust, now });
  for (const path of ['bin/run', '.mmm/index.json', '.mmm/signatures.json']) {
    const file = join(plugin, path);
    const content = await readFile(file);
    await rm(file);
    await run('mkfifo', [file]);
    const isRefused = (error: unknown) => MmmError.is(error, 'BUNDLE_CHANGED') && error.data.reason === 'not_a_file';
    await assert.rejects(verifyBundle(plugin, { name: identity.name, trust, now }), isRefused);
    await assert.rejects(new ContentStore(join(plugin, '../store')).put(plugin, bundle), isRefused);
    await assert.rejects(indexFolder(plugin, identity), /is a pipe/);
    await rm(file);
    await writeFile(file, content, { mode: path === 'bin/run' ? 0o755 : 0o644 });
  }
  await verifyBundle(plugin, { name: identity.name, trust, now });
});

test("openssl and mmm accept each other's signatures", async (t) => {
  const { key, home } = await signedPlugin(t);
  const message = join(home, 'message');
  await writeFile(message, 'the same bytes');
  await run('openssl', ['genpkey', '-algorithm', 'ed25519', '-out', join(home, 'key.pem')]);
  await run('openssl', [
    'pkeyutl',
    '-sign',
    '-inkey',
    join(home, 'key.pem'),
    '-rawin',
    '-in',
    message,
    '-out',
    join(home, 'sig'),
  ]);
  await run('openssl', [
    'pkey',
    '-in',
    join(home, 'key.pem'),
    '-pubout',
    '-outform',
    'DER',
    '-out',
    join(home, 'key.der'),
  ]);
  const publicKey = (await readFile(join(home, 'key.der'))).subarray(12);
  assert.equal(await verifyStrict(await readFile(message), await readFile(join(home, 'sig')), publicKey), true);
  const prefix = Buffer.from('302a300506032b6570032100', 'hex');
  await writeFile(join(home, 'ours.der'), Buffer.concat([prefix, parsePublicKey(key.publicKey)]));
  await writeFile(join(home, 'ours.sig'), key.sign(await readFile(message)));
  const { stdout } = await run('openssl', [
    'pkeyutl',
    '-verify',
    '-pubin',
    '-keyform',
    'DER',
    '-inkey',
    join(home, 'ours.der'),
    '-rawin',
    '-in',
    message,
    '-sigfile',
    join(home, 'ours.sig'),
  ]);
  assert.match(stdout, /Verified Successfully/);
});

test('an ordinary user can sign, store, check and remove', async (t) => {
  const unreachable = process.getuid?.() === 0 ? unreachableFor(65_534) : undefined;
  if (unreachable !== undefined) {
    t.skip(unreachable);
    return;
  }
  const folder = await temporaryFolder(t);
  await writeFiles(join(folder, 'plugin'), { 'plugin.toml': 'schema = 1\n', 'bin/run': '#!/bin/sh\n' });
  const user = process.getuid?.() === 0 ? { uid: 65534, gid: 65534 } : {};
  if (user.uid !== undefined) {
    for (const path of ['', 'plugin', 'plugin/bin', 'plugin/plugin.toml', 'plugin/bin/run'])
      await chown(join(folder, path), user.uid, user.gid);
  }
  await mkdir(join(folder, 'tmp'));
  await chmod(join(folder, 'tmp'), 0o777);
  const { stdout } = await run(
    process.execPath,
    [...runtime, join(programs, 'store-plugin.ts'), join(folder, 'home'), join(folder, 'plugin')],
    { ...user, env: { PATH: '/usr/bin:/bin', HOME: folder, TMPDIR: join(folder, 'tmp') } },
  );
  assert.equal(stdout.trim(), `1 0 ${user.uid ?? process.getuid?.()}`);
  assert.deepEqual(await readdir(join(folder, 'home/store')), []);
});

test('processes that change the trust store at once lose no change', async (t) => {
  const folder = await temporaryFolder(t);
  const file = join(folder, 'trust.json');
  const makeKey = () =>
    generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).subarray(12).toString('base64');
  await Promise.all(
    ['a', 'b', 'c'].map((prefix) => {
      const keys = Array.from({ length: 8 }, makeKey);
      return run(process.execPath, [...runtime, join(programs, 'trust-key.ts'), file, prefix, ...keys]);
    }),
  );
  const trust = await TrustStore.open(file);
  assert.equal(trust.list().length, 24);
  assert.equal(trust.revision, 24);
  assert.deepEqual(await readdir(folder), ['trust.json']);
});
