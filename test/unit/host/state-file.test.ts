import assert from 'node:assert/strict';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { DatabaseSync } from '@photostructure/sqlite';
import { AuditLog } from '../../../packages/host/src/audit/audit-log.ts';
import { type Home, openHome } from '../../../packages/host/src/home.ts';
import { hostLimits } from '../../../packages/host/src/limits.ts';
import { damagedFiles, openStateFile } from '../../../packages/host/src/state-file.ts';
import { openStore, type Store } from '../../../packages/host/src/store/store.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const clock = { now: () => Date.parse('2027-01-02T03:04:05.678Z') };

function logOf(home: Home, store: Store, fileBytes?: number): AuditLog {
  return new AuditLog({
    directory: home.audit,
    chain: store.chain,
    clock,
    ...(fileBytes === undefined ? {} : { fileBytes }),
  });
}

/** A home with an installed plugin, a grant, and a log of a few entries. */
function used(t: TestContext, fileBytes?: number): Home {
  const folder = tempFolder(t);
  const home = openHome(join(folder, 'home'));
  const store = openStore(home.stateFile);
  mkdirSync(join(home.plugins, 'somebody__calculator'));
  mkdirSync(join(home.plugins, '.unfinished.1.new'));
  store.grants.add('somebody/calculator', 'abc', [{ kind: 'model' }], 'user', '2027-01-01T00:00:00.000Z');
  const log = logOf(home, store, fileBytes);
  for (let count = 0; count < 5; count += 1) log.append({ action: 'launch', plugin: 'calculator', detail: { count } });
  store.checkpoint();
  store.close();
  // A copy: SQLite still holds the files of this one until its statements are collected.
  for (const companion of ['-wal', '-shm']) rmSync(home.stateFile + companion, { force: true });
  cpSync(home.directory, join(folder, 'copy'), { recursive: true });
  return openHome(join(folder, 'copy'));
}

/** Overwrites so many bytes of the file, by default all. */
function damage(file: string, from = 0, bytes = statSync(file).size - from): void {
  const descriptor = openSync(file, 'r+');
  writeSync(descriptor, Buffer.alloc(bytes, 0x5a), 0, undefined, from);
  closeSync(descriptor);
}

/** Where the first page of a table lies. */
function placeOf(file: string, table: string): number {
  const database = new DatabaseSync(file, { readOnly: true });
  const row = database.prepare('SELECT rootpage FROM sqlite_schema WHERE name = ?').get(table);
  database.close();
  return (Number((row as { rootpage: number }).rootpage) - 1) * 4096;
}

test('a damaged state file is set aside whole, and in the new one nothing is granted or enabled', (t) => {
  const home = used(t);
  damage(home.stateFile);
  const damaged = readFileSync(home.stateFile);
  writeFileSync(`${home.stateFile}-wal`, 'what was not moved yet');
  const { store, setAside } = openStateFile(home, { clock });
  t.after(() => store.close());
  assert.ok(setAside !== null);
  assert.equal(setAside.file, `${home.stateFile}.damaged-20270102T030405678Z`);
  assert.match(setAside.reason, /not a database/);
  assert.deepEqual(readFileSync(setAside.file), damaged);
  assert.deepEqual(damagedFiles(home.stateFile), [setAside.file]);
  assert.deepEqual(store.grants.list('somebody/calculator'), []);
  assert.equal(store.plugins.get('somebody/calculator')?.enabled, false);
  assert.deepEqual(
    store.plugins.list().map(({ id }) => id),
    ['somebody/calculator'],
  );
  assert.equal(statSync(home.stateFile).mode & 0o777, 0o600);
  const log = logOf(home, store);
  assert.deepEqual(log.verify(), { entries: 6 });
  const [last] = log.list({ limit: 1 });
  assert.equal(last?.action, 'state_set_aside');
  assert.equal(last.detail.file, 'state.db.damaged-20270102T030405678Z');
  log.append({ action: 'launch', detail: {} });
  assert.deepEqual(log.verify(), { entries: 7 });
});

test('the audit log goes on after files that were put by, and a cut of it that came later shows', (t) => {
  const home = used(t, 300);
  damage(home.stateFile);
  const { store } = openStateFile(home, { clock });
  t.after(() => store.close());
  const log = logOf(home, store, 300);
  assert.deepEqual(log.verify(), { entries: 6 });
  for (let count = 0; count < 3; count += 1) log.append({ action: 'launch', detail: { count } });
  assert.deepEqual(log.verify(), { entries: 9 });
  truncateSync(join(home.audit, 'audit.jsonl'), 0);
  assert.ok(log.verify().problem !== undefined);
});

test('damage that only shows in use is looked for at the next start, and what is whole stays', (t) => {
  const home = used(t);
  writeFileSync(`${home.stateFile}.suspect`, '');
  const whole = openStateFile(home, { clock });
  assert.equal(whole.setAside, null);
  assert.equal(existsSync(`${home.stateFile}.suspect`), false);
  assert.equal(whole.store.grants.list('somebody/calculator').length, 1);
  whole.store.close();
  // The header and the schema are whole: a look at the first page finds nothing.
  damage(home.stateFile, placeOf(home.stateFile, 'grants'), 4096);
  const hit = openStateFile(home, { clock });
  assert.equal(hit.setAside, null);
  assert.throws(
    () => hit.store.grants.list('somebody/calculator'),
    (error) => MmmError.is(error, 'STATE_UNREADABLE'),
  );
  hit.store.close();
  const next = openStateFile(home, { clock });
  t.after(() => next.store.close());
  assert.ok(next.setAside !== null);
  assert.deepEqual(next.store.grants.list('somebody/calculator'), []);
});

test('killed between the renames, the next start ends what was begun and grants nothing', (t) => {
  for (const left of ['the log', 'nothing']) {
    const home = used(t);
    // As after the first rename: the file is away, its log is not.
    renameSync(home.stateFile, `${home.stateFile}.damaged-20270101T000000000Z`);
    if (left === 'the log') writeFileSync(`${home.stateFile}-wal`, 'what was not moved yet');
    writeFileSync(`${home.stateFile}.fresh`, 'half a file');
    const { store, setAside } = openStateFile(home, { clock });
    assert.match(setAside?.reason ?? '', /killed/);
    assert.deepEqual(store.grants.list('somebody/calculator'), []);
    assert.equal(store.plugins.get('somebody/calculator')?.enabled, false);
    assert.deepEqual(logOf(home, store).verify(), { entries: 6 });
    if (left === 'the log') {
      const moved = `${home.stateFile}.damaged-20270102T030405678Z-wal`;
      assert.equal(readFileSync(moved, 'utf8'), 'what was not moved yet');
    }
    store.close();
  }
});

test('a file of a newer mmm is refused with a sentence, not set aside and not changed', (t) => {
  const home = used(t);
  const database = new DatabaseSync(home.stateFile);
  database.exec('PRAGMA user_version = 9999');
  database.close();
  const before = readFileSync(home.stateFile);
  assert.throws(
    () => openStateFile(home, { clock }),
    (error) =>
      MmmError.is(error, 'STATE_UNREADABLE') &&
      error.data.problem === 'newer' &&
      /was written by a newer mmm.*Update mmm/.test(error.message),
  );
  assert.deepEqual(readFileSync(home.stateFile), before);
  assert.deepEqual(damagedFiles(home.stateFile), []);
});

test('a uid that owns data is not given to another plugin by the new file', {
  skip: process.getuid?.() !== 0,
}, async (t) => {
  const { chownSync } = await import('node:fs');
  const home = used(t);
  mkdirSync(join(home.data, 'other'));
  chownSync(join(home.data, 'other'), hostLimits.pluginUidFirst + 7, 0);
  damage(home.stateFile);
  const { store } = openStateFile(home, { clock });
  t.after(() => store.close());
  assert.equal(store.plugins.uidOf('fresh', hostLimits.pluginUidFirst), hostLimits.pluginUidFirst + 8);
});
