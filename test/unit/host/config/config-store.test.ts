import assert from 'node:assert/strict';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { privateFileWriter } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import { ConfigStore } from '../../../../packages/host/src/config/config-store.ts';
import { openStore } from '../../../../packages/host/src/store/store.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const at = '2026-01-01T00:00:00.000Z';
const owner = { id: 'acme/echo', fileName: 'acme__echo', publisher: 'key1' };

function configStore(t: TestContext) {
  const directory = tempFolder(t);
  const secrets = join(directory, 'secrets');
  mkdirSync(secrets, { mode: 0o700 });
  const state = openStore(join(directory, 'state.db'));
  t.after(() => state.close());
  return { store: new ConfigStore(state.configurations, secrets), directory, file: join(secrets, 'acme__echo.json') };
}

test('values and secrets are stored apart, and a secret is for one publisher', async (t) => {
  const { store, directory, file } = configStore(t);
  const writeFile = await privateFileWriter();
  store.update(owner, at, writeFile, () => ({ values: { a: { b: 1 } }, secrets: { key: 's3cr3t-value' } }));
  assert.deepEqual(store.read(owner), { values: { a: { b: 1 } }, secrets: { key: 's3cr3t-value' } });
  assert.deepEqual(store.read({ ...owner, publisher: 'key2' }), { values: { a: { b: 1 } }, secrets: {} });
  assert.equal(statSync(file).mode & 0o777, 0o600);
  for (const name of ['state.db', 'state.db-wal']) {
    assert.ok(!readFileSync(join(directory, name), 'latin1').includes('s3cr3t-value'), name);
  }
  store.update({ ...owner, publisher: 'key2' }, at, writeFile, (stored) => ({ ...stored, secrets: { key: 'two' } }));
  assert.deepEqual(store.read(owner).secrets, { key: 's3cr3t-value' });
  store.update(owner, at, writeFile, () => ({ values: {}, secrets: {} }));
  assert.deepEqual(store.read(owner), { values: {}, secrets: {} });
  assert.ok(existsSync(file));
  store.remove(owner);
  assert.ok(!existsSync(file));
});

test('a change that fails stores nothing', async (t) => {
  const { store } = configStore(t);
  const writeFile = await privateFileWriter();
  store.update(owner, at, writeFile, () => ({ values: { a: 1 }, secrets: {} }));
  const fail = () => {
    throw new Error('no');
  };
  assert.throws(() => store.update(owner, at, writeFile, fail), /no/);
  const full = () => {
    throw Object.assign(new Error('disk full'), { code: 'ENOSPC' });
  };
  assert.throws(
    () => store.update(owner, at, full, () => ({ values: { a: 2 }, secrets: { key: 'x' } })),
    (error) => MmmError.is(error, 'STATE_UNREADABLE') && /ENOSPC/.test(error.message),
  );
  assert.deepEqual(store.read(owner), { values: { a: 1 }, secrets: {} });
});

test('a file of secrets that is damaged or open to others is refused without being quoted', (t) => {
  const { store, file } = configStore(t);
  const content = '{"schema":"mmm.secrets/1","publishers":{"key1":{"key":"s3cr3t-value"}';
  for (const [mode, text] of [
    [0o600, content],
    [0o644, `${content}}`],
    [0o600, '[]'],
  ] as const) {
    writeFileSync(file, text, { mode });
    assert.throws(
      () => store.read(owner),
      (error) => MmmError.is(error, 'STATE_UNREADABLE') && !error.message.includes('s3cr3t'),
    );
    store.remove(owner);
  }
});
