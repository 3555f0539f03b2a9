import assert from 'node:assert/strict';
import { chmodSync, existsSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MmmError, type Permission } from '@mmm/protocol';
import { DatabaseSync } from '@photostructure/sqlite';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { schemaVersion } from '../../../../packages/host/src/store/migrations.ts';
import {
  type CounterName,
  counterNames,
  openStore,
  type StatisticsDelta,
} from '../../../../packages/host/src/store/store.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const network: Permission = { kind: 'network', host: 'api.example.com:443' };
const files: Permission = { kind: 'filesystem', access: 'read', path: '/srv/data' };
const noCounts = Object.fromEntries(counterNames.map((name) => [name, 0])) as Record<CounterName, number>;
const at = '2026-01-01T00:00:00.000Z';
const unreadable = (pattern: RegExp) => (error: unknown) => {
  assert.ok(MmmError.is(error, 'STATE_UNREADABLE'), String(error));
  assert.match(error.message, pattern);
  return true;
};

test('the file and its companions can be read by nobody else, whatever the umask and the mode it had', (t) => {
  const file = join(tempFolder(t), 'state.db');
  writeFileSync(file, '');
  chmodSync(file, 0o644);
  const store = openStore(file);
  store.plugins.setEnabled('calculator', true);
  for (const name of [file, `${file}-wal`, `${file}-shm`]) assert.equal(statSync(name).mode & 0o777, 0o600, name);
  store.close();
});

test('what was stored is there after closing and opening again', (t) => {
  const file = join(tempFolder(t), 'state.db');
  const first = openStore(file);
  first.grants.add('calculator', 'abc', [network, files], 'user', at);
  first.chain.advance(() => ({ seq: 1, hash: 'f'.repeat(64), bytes: 10 }));
  first.close();
  const second = openStore(file);
  assert.deepEqual(
    second.grants.list('calculator', 'abc').map(({ key }) => key),
    ['filesystem=read:/srv/data', 'network=api.example.com:443'],
  );
  assert.deepEqual(second.grants.list('calculator')[1], {
    plugin: 'calculator',
    publisher: 'abc',
    key: 'network=api.example.com:443',
    permission: network,
    source: 'user',
    grantedAt: at,
  });
  assert.deepEqual({ ...second.chain.read() }, { seq: 1, hash: 'f'.repeat(64), bytes: 10 });
  second.close();
});

test('grants belong to one publisher, keep their first source, and are removed for all', (t) => {
  const store = openStore(join(tempFolder(t), 'state.db'));
  store.grants.add('calculator', 'abc', [network], 'prompt', at);
  store.grants.add('calculator', 'abc', [network], 'user', '2027-01-01T00:00:00.000Z');
  store.grants.add('calculator', 'other', [network, files], 'user', at);
  assert.equal(store.grants.list('calculator', 'abc').length, 1);
  assert.equal(store.grants.list('calculator', 'abc')[0]?.source, 'prompt');
  assert.equal(store.grants.list('calculator', 'nobody').length, 0);
  assert.equal(store.grants.remove('calculator', ['network=api.example.com:443', 'model=*']), 2);
  assert.equal(store.grants.removeAll('calculator'), 1);
  assert.deepEqual(store.grants.list('calculator'), []);
  store.close();
});

test('what a grant leads to is kept beside it, and anew whenever it is agreed to again', (t) => {
  let now = 'first';
  const store = openStore(join(tempFolder(t), 'state.db'), ({ kind }) => (kind === 'filesystem' ? now : undefined));
  const key = 'filesystem=read:/srv/data';
  const place = (publisher = 'abc', of = key) => store.grants.place('calculator', publisher, of);
  assert.equal(place(), undefined);
  store.grants.add('calculator', 'abc', [files, network], 'user', at);
  assert.equal(place(), 'first');
  assert.equal(place('other'), undefined);
  assert.equal(place('abc', 'network=api.example.com:443'), null);
  now = 'second';
  assert.equal(place(), 'first');
  store.grants.pin('calculator', 'abc', key, 'seen later');
  assert.equal(place(), 'seen later');
  store.grants.add('calculator', 'abc', [files], 'flag', at);
  assert.equal(place(), 'second');
  assert.equal(store.grants.list('calculator', 'abc')[0]?.source, 'user');
  store.grants.remove('calculator', [key]);
  store.grants.pin('calculator', 'abc', key, 'of nothing');
  assert.equal(place(), undefined);
  store.close();
});

test('a disabled plugin stays disabled when it is updated', (t) => {
  const { plugins, close } = openStore(join(tempFolder(t), 'state.db'));
  assert.equal(plugins.get('calculator'), undefined);
  const installation = { bundleSha256: 'b1', version: '1.0.0', installedAt: at, unsignedException: null };
  plugins.installed('calculator', installation);
  plugins.setEnabled('calculator', false);
  plugins.installed('calculator', { ...installation, bundleSha256: 'b2', unsignedException: 'b2' });
  assert.deepEqual(plugins.list(), [
    {
      id: 'calculator',
      enabled: false,
      bundleSha256: 'b2',
      version: '1.0.0',
      installedAt: at,
      unsignedException: 'b2',
      publisher: null,
      uid: null,
    },
  ]);
  plugins.removed('calculator');
  assert.deepEqual(plugins.list(), []);
  close();
});

test('a uid is never given to a second plugin, not even after the first was removed', (t) => {
  const { plugins, close } = openStore(join(tempFolder(t), 'state.db'));
  plugins.setEnabled('a', true);
  assert.equal(plugins.uidOf('a', 300_000), 300_000);
  assert.equal(plugins.uidOf('b', 300_000), 300_001);
  plugins.removed('a');
  assert.equal(plugins.uidOf('c', 300_000), 300_002);
  assert.equal(plugins.uidOf('a', 300_000), 300_000);
  plugins.setEnabled('a', true);
  assert.equal(plugins.get('a')?.uid, 300_000);
  assert.equal(plugins.uidOf('d', 400_000), 400_000);
  assert.throws(
    () => plugins.uidOf('e', 300_000),
    (error) => MmmError.is(error, 'SANDBOX_UNAVAILABLE'),
  );
  close();
});

test('statistics of several processes add up, and only the last exits are kept', (t) => {
  const file = join(tempFolder(t), 'state.db');
  const [one, two] = [openStore(file), openStore(file)];
  const delta: StatisticsDelta = {
    executions: 2,
    failures: 1,
    lastAtMs: 50,
    totalMs: 30,
    maxMs: 20,
    buckets: [0, 2],
    loads: 1,
    lastLoadMs: 9,
    exits: { exit: 1 },
    lastExits: [{ atMs: 50, kind: 'exit', detail: 'code 1', stderrTail: 'oops' }],
    restarts: { exit: 1 },
    counters: { ...noCounts, bytesIn: 10, denials: 1 },
    recorded: [{ name: 'rooms', labels: { floor: '1' }, count: 1, sum: 2, last: 2 }],
  };
  one.statistics.add('calculator', delta);
  two.statistics.add('calculator', { ...delta, lastAtMs: 40, maxMs: 25, lastLoadMs: null, exits: { signal: 2 } });
  for (let index = 0; index < 6; index += 1) {
    const exit = { atMs: 100 + index, kind: 'signal', detail: 'SIGKILL', stderrTail: '' };
    two.statistics.add('calculator', { ...delta, buckets: [], lastAtMs: null, lastExits: [exit] });
  }
  const read = one.statistics.read('calculator');
  assert.deepEqual(
    { ...read, lastExits: read.lastExits.map(({ atMs }) => atMs) },
    {
      executions: 16,
      failures: 8,
      lastAtMs: 50,
      totalMs: 240,
      maxMs: 25,
      buckets: [0, 4],
      loads: 8,
      lastLoadMs: 9,
      exits: { exit: 7, signal: 2 },
      lastExits: [105, 104, 103, 102, 101],
      restarts: { exit: 8 },
      counters: { ...noCounts, bytesIn: 80, denials: 8 },
      recorded: [{ name: 'rooms', labels: { floor: '1' }, count: 8, sum: 16, last: 2 }],
    },
  );
  assert.equal(read.lastExits.length, hostLimits.exitsKept);
  one.statistics.removeAll('calculator');
  const { executions, counters, recorded, restarts } = two.statistics.read('calculator');
  assert.deepEqual(
    { executions, counters, recorded, restarts },
    { ...{ executions: 0, counters: noCounts }, recorded: [], restarts: {} },
  );
  one.close();
  two.close();
});

test('a failing step leaves nothing of its transaction', (t) => {
  const store = openStore(join(tempFolder(t), 'state.db'));
  assert.throws(
    () =>
      store.chain.advance(() => {
        throw new Error('disk');
      }),
    /disk/,
  );
  assert.equal(store.chain.read().seq, 0);
  store.chain.advance((head) => ({ ...head, seq: head.seq + 1 }));
  assert.equal(store.chain.read().seq, 1);
  store.close();
});

test('a file of a newer mmm is refused by its version and left as it is', (t) => {
  const file = join(tempFolder(t), 'state.db');
  openStore(file).close();
  const database = new DatabaseSync(file);
  database.exec(`PRAGMA user_version = ${schemaVersion + 1}`);
  database.close();
  assert.throws(() => openStore(file), unreadable(new RegExp(`version ${schemaVersion + 1}.*Update mmm`)));
});

test('a damaged file is refused with what to do, and not one byte of it is changed', (t) => {
  const file = join(tempFolder(t), 'state.db');
  const bytes = Buffer.alloc(8192, 'not a database ');
  writeFileSync(file, bytes);
  assert.throws(() => openStore(file), unreadable(/It is damaged. Nothing was deleted.*sets it aside.*mmm restore/));
  assert.deepEqual(readFileSync(file), bytes);
});

test('a link or a folder in place of the file is refused', (t) => {
  const folder = tempFolder(t);
  symlinkSync(join(folder, 'elsewhere.db'), join(folder, 'state.db'));
  assert.throws(() => openStore(join(folder, 'state.db')), unreadable(/must be a regular file/));
  assert.equal(existsSync(join(folder, 'elsewhere.db')), false);
  assert.throws(() => openStore(folder), unreadable(/must be a regular file/));
});
