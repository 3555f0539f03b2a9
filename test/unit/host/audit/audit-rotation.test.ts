import assert from 'node:assert/strict';
import { appendFileSync, copyFileSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { AuditLog } from '../../../../packages/host/src/audit/audit-log.ts';
import { type ChainHead, type Head, openStore, type Store } from '../../../../packages/host/src/store/store.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

interface Setup {
  readonly directory: string;
  readonly store: Store;
  readonly clock: FakeClock;
  readonly log: AuditLog;
  /** Names of the files of the log, oldest first. */
  files(): string[];
}

/** An entry has some 200 bytes, so that each file holds five. */
const fileBytes = 900;

function setUp(t: TestContext, entries: number): Setup {
  const store = openStore(join(tempFolder(t), 'state.db'));
  t.after(() => store.close());
  const clock = new FakeClock();
  const folder = tempFolder(t);
  const log = new AuditLog({ directory: folder, chain: store.chain, clock, fileBytes });
  for (let index = 1; index <= entries; index += 1) log.append({ action: 'launch', plugin: `p${index}`, detail: {} });
  return { directory: folder, store, clock, log, files: () => readdirSync(folder).sort(byAge) };
}

/** `audit.000000000005.jsonl` before `audit.jsonl`. */
function byAge(left: string, right: string): number {
  return Number(left === 'audit.jsonl') - Number(right === 'audit.jsonl') || left.localeCompare(right);
}

const problemOf = (log: AuditLog): string => log.verify().problem?.reason ?? 'none';

test('a full file is put by under the number of its last entry, and the chain goes on in the next', (t) => {
  const { directory, log, files } = setUp(t, 23);
  const names = files();
  assert.ok(names.length >= 4, names.join());
  assert.equal(names.at(-1), 'audit.jsonl');
  for (const name of names.slice(0, -1)) {
    const last = readFileSync(join(directory, name), 'utf8').trimEnd().split('\n').at(-1) ?? '';
    assert.equal(name, `audit.${String((JSON.parse(last) as { seq: number }).seq).padStart(12, '0')}.jsonl`);
  }
  assert.deepEqual(log.verify(), { entries: 23 });
  assert.deepEqual(
    log.list({ limit: 12 }).map(({ seq }) => seq),
    Array.from({ length: 12 }, (_, index) => 12 + index),
  );
  assert.deepEqual(
    [...log.lines()].map((line) => (JSON.parse(line) as { seq: number }).seq),
    Array.from({ length: 23 }, (_, index) => index + 1),
  );
});

test('a file that was removed is found, whichever it is, also after further entries', (t) => {
  for (const which of [0, 1, -1]) {
    const { directory, log, files } = setUp(t, 23);
    rmSync(join(directory, files().at(which) ?? ''));
    const reason = problemOf(log);
    assert.match(reason, which === -1 ? /its end was cut off/ : /the file that held them was removed/);
    log.append({ action: 'key', detail: {} });
    assert.notEqual(problemOf(log), 'none');
  }
});

test('files in another order, and one that is there twice, are found', (t) => {
  const { directory, log, files } = setUp(t, 23);
  const [first = '', second = ''] = files().map((name) => join(directory, name));
  const aside = join(directory, 'aside');
  renameSync(first, aside);
  renameSync(second, first);
  renameSync(aside, second);
  assert.match(problemOf(log), /should be here/);
  renameSync(first, aside);
  renameSync(second, first);
  renameSync(aside, second);
  assert.equal(problemOf(log), 'none');
  copyFileSync(first, join(directory, 'audit.000000000099.jsonl'));
  assert.match(problemOf(log), /should be here/);
});

test('an edit in a file that was put by is named with its file and line', (t) => {
  const { directory, log, files } = setUp(t, 23);
  const file = join(directory, files()[1] ?? '');
  writeFileSync(file, readFileSync(file, 'utf8').replace('"launch"', '"remove"'));
  const { problem } = log.verify();
  assert.deepEqual([problem?.file, problem?.line], [file, 1]);
  assert.match(problem?.reason ?? '', /edited/);
});

test('list takes the entries of one plugin, of one action, and since a moment', async (t) => {
  const { clock, log } = setUp(t, 0);
  log.append({ action: 'grant', plugin: 'a', detail: {} });
  await clock.advance(60_000);
  const since = new Date(clock.now());
  log.append({ action: 'grant', plugin: 'b', detail: {} });
  log.append({ action: 'launch', plugin: 'a', detail: {} });
  const seqs = (filter: Parameters<AuditLog['list']>[0]): number[] => log.list(filter).map(({ seq }) => seq);
  assert.deepEqual(seqs({ plugin: 'a' }), [1, 3]);
  assert.deepEqual(seqs({ action: 'grant' }), [1, 2]);
  assert.deepEqual(seqs({ since }), [2, 3]);
  assert.deepEqual(seqs({ since, plugin: 'a', action: 'launch' }), [3]);
});

/** Dies after the files were written and before the head was stored. */
function dyingChain(chain: ChainHead): ChainHead {
  return {
    read: () => chain.read(),
    advance: (append) => {
      append(chain.read());
      throw new Error('killed');
    },
  };
}

test('a death between putting a file by and storing the head leaves a chain that goes on', (t) => {
  const { directory, store, clock, log, files } = setUp(t, 0);
  const dying = new AuditLog({ directory, chain: dyingChain(store.chain), clock, fileBytes });
  let rotations = 0;
  for (let index = 0; index < 24; index += 1) {
    const before = files().length;
    assert.throws(() => dying.append({ action: 'grant', plugin: 'dying', detail: { index } }), /killed/);
    if (files().length > before && before > 0) rotations += 1;
    // Sometimes one death follows another before anybody gets to the end.
    if (index % 3 === 2) log.append({ action: 'launch', plugin: 'alive', detail: { index } });
    assert.equal(problemOf(log), 'none', `after ${index}`);
  }
  assert.ok(rotations >= 3, `${rotations} deaths while a file was put by`);
  log.append({ action: 'key', detail: {} });
  assert.deepEqual(log.verify(), { entries: 33 });
});

test('a head that a power cut set back is caught up over files that were put by since', (t) => {
  const { store, log } = setUp(t, 3);
  const before: Head = store.chain.read();
  for (let index = 0; index < 30; index += 1) log.append({ action: 'launch', detail: { index } });
  store.chain.advance(() => before);
  log.append({ action: 'launch', detail: {} });
  assert.deepEqual(log.verify(), { entries: 34 });
  assert.equal(store.chain.read().seq, 34);
});

test('an exported copy is verified by itself, and a foreign line in it is found', (t) => {
  const { directory, log } = setUp(t, 12);
  const copy = join(directory, 'copy');
  writeFileSync(copy, [...log.lines()].map((line) => `${line}\n`).join(''));
  assert.deepEqual(AuditLog.verify(copy), { entries: 12 });
  appendFileSync(copy, '{"seq":13}\n');
  assert.deepEqual(AuditLog.verify(copy).problem?.line, 13);
});

test('what a plugin says is recorded without its secrets, what the host says as it is', (t) => {
  const { directory, store, clock } = setUp(t, 0);
  const redact = (plugin: string, detail: Readonly<Record<string, unknown>>) =>
    JSON.parse(JSON.stringify(detail).replaceAll(`${plugin}-secret`, '[secret]')) as Record<string, unknown>;
  const log = new AuditLog({ directory, chain: store.chain, clock, redact });
  log.append({ action: 'refused', plugin: 'a', detail: { network: 'a-secret.example.com' } });
  log.append({ action: 'launch', plugin: 'a', detail: { version: 'a-secret' } });
  assert.deepEqual(
    log.list().map(({ detail }) => detail),
    [{ network: '[secret].example.com' }, { version: 'a-secret' }],
  );
});
