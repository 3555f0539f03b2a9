import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { AuditLog } from '../../../../packages/host/src/audit/audit-log.ts';
import { type ChainHead, type Head, openStore, type Store } from '../../../../packages/host/src/store/store.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

interface Setup {
  readonly directory: string;
  readonly file: string;
  readonly store: Store;
  readonly log: AuditLog;
  readonly lines: () => string[];
}

function setUp(t: TestContext, entries = 0): Setup {
  const directory = tempFolder(t);
  const store = openStore(join(directory, 'state.db'));
  t.after(() => store.close());
  const log = new AuditLog({ directory, chain: store.chain, clock: new FakeClock() });
  for (let index = 1; index <= entries; index += 1)
    log.append({ action: 'launch', plugin: `p${index}`, detail: { index } });
  const file = join(directory, 'audit.jsonl');
  return { directory, file, store, log, lines: () => readFileSync(file, 'utf8').split('\n').slice(0, -1) };
}

/** A chain whose process dies after the line was written and before its head was stored. */
function dyingChain(chain: ChainHead): ChainHead {
  return {
    read: () => chain.read(),
    advance: (append) => {
      append(chain.read());
      throw new Error('killed');
    },
  };
}

function rewrite(file: string, change: (lines: string[]) => string[]): void {
  writeFileSync(file, `${change(readFileSync(file, 'utf8').trimEnd().split('\n')).join('\n')}\n`);
}

test('every entry holds its number, its time and the hash of the one before', (t) => {
  const { file, log, lines } = setUp(t, 3);
  const [first, second] = lines().map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(first?.prev, '0'.repeat(64));
  assert.equal(second?.prev, first?.hash);
  assert.equal(second?.at, '2026-01-01T00:00:00.000Z');
  assert.deepEqual(Object.keys(second ?? {}), ['seq', 'at', 'action', 'plugin', 'detail', 'prev', 'hash']);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(log.verify(), { entries: 3 });
  assert.deepEqual(AuditLog.verify(file), { entries: 3 });
});

test('an empty log and one that was never written are in order', (t) => {
  const { file, log } = setUp(t);
  assert.deepEqual(log.verify(), { entries: 0 });
  assert.deepEqual(log.list(), []);
  writeFileSync(file, '');
  assert.deepEqual(log.verify(), { entries: 0 });
});

test('text of a plugin can neither start a new line nor move a cursor', (t) => {
  const { log, lines } = setUp(t);
  const hostile = 'x\n{"seq":99}\u001b[2J\u009b31m\u202eevil\u2028';
  log.append({ action: 'refused', plugin: 'p', detail: { hostile } });
  assert.equal(lines().length, 1);
  assert.match(lines()[0] ?? '', /^[ -~]*$/);
  assert.equal(log.list()[0]?.detail.hostile, hostile);
  assert.deepEqual(log.verify(), { entries: 1 });
});

const tampering: Record<string, { change(lines: string[]): string[]; line: number; reason: RegExp }> = {
  'an edited entry': {
    change: (lines) => lines.with(1, (lines[1] ?? '').replace('p2', 'p9')),
    line: 2,
    reason: /edited/,
  },
  'a removed entry': { change: (lines) => lines.toSpliced(1, 1), line: 2, reason: /entry 2 should be here/ },
  'two entries in another order': {
    change: ([one, two, three, four] = []) => [one, three, two, four].map(String),
    line: 2,
    reason: /should be here/,
  },
  'a repeated entry': { change: (lines) => lines.toSpliced(1, 0, lines[0] ?? ''), line: 2, reason: /should be here/ },
  'a foreign line': { change: (lines) => lines.toSpliced(2, 0, '{"seq":3}'), line: 3, reason: /not an entry/ },
  'an end that was cut off': { change: (lines) => lines.slice(0, 2), line: 3, reason: /entry 4 was written.*cut off/ },
  'an empty file in its place': { change: () => [], line: 1, reason: /not an entry/ },
};
for (const [name, { change, line, reason }] of Object.entries(tampering)) {
  test(`verify finds ${name}, also after further entries`, (t) => {
    const { file, log } = setUp(t, 4);
    rewrite(file, change);
    const before = log.verify();
    assert.equal(before.problem?.line, line);
    assert.match(before.problem?.reason ?? '', reason);
    log.append({ action: 'key', detail: {} });
    assert.equal(log.verify().problem?.line, line);
  });
}

test('verify finds a log that was written anew with correct hashes', (t) => {
  const { directory, file, log } = setUp(t, 2);
  rmSync(file);
  let head: Head = { seq: 0, hash: '0'.repeat(64), bytes: 0 };
  const chain: ChainHead = {
    read: () => head,
    advance: (append) => {
      head = append(head);
      return head;
    },
  };
  const forger = new AuditLog({ directory, chain, clock: new FakeClock() });
  for (const plugin of ['x', 'y']) forger.append({ action: 'grant', plugin, detail: {} });
  assert.deepEqual(AuditLog.verify(file), { entries: 2 });
  assert.match(log.verify().problem?.reason ?? '', /written anew/);
});

test('a log that was removed goes on, and verify says what is missing', (t) => {
  const { file, log, lines } = setUp(t, 2);
  rmSync(file);
  assert.match(log.verify().problem?.reason ?? '', /cut off/);
  log.append({ action: 'key', detail: {} });
  assert.equal(lines().length, 1);
  assert.match(log.verify().problem?.reason ?? '', /it is entry 3, but entry 1 should be here/);
});

test('an entry whose writer died before it stored the head is taken over, once for every such death', (t) => {
  const { directory, store, log } = setUp(t, 1);
  const dying = new AuditLog({ directory, chain: dyingChain(store.chain), clock: new FakeClock() });
  assert.throws(() => dying.append({ action: 'grant', plugin: 'a', detail: {} }), /killed/);
  assert.deepEqual(log.verify(), { entries: 2 });
  assert.throws(() => dying.append({ action: 'grant', plugin: 'b', detail: {} }), /killed/);
  log.append({ action: 'launch', plugin: 'c', detail: {} });
  assert.deepEqual(log.verify(), { entries: 4 });
  assert.deepEqual(
    log.list().map(({ plugin }) => plugin),
    ['p1', 'a', 'b', 'c'],
  );
});

test('a head that a power cut set back is caught up', (t) => {
  const { store, log } = setUp(t, 2);
  const before = store.chain.read();
  for (let index = 0; index < 50; index += 1) log.append({ action: 'launch', detail: { index } });
  store.chain.advance(() => before);
  assert.deepEqual(log.verify(), { entries: 52 });
  log.append({ action: 'launch', detail: {} });
  assert.deepEqual(log.verify(), { entries: 53 });
  assert.equal(store.chain.read().seq, 53);
});

test('half a line after a death is cut off, and the next entry says so', (t) => {
  const { file, log } = setUp(t, 2);
  appendFileSync(file, '{"seq":3,"at":"20');
  assert.deepEqual(log.verify(), { entries: 2 });
  log.append({ action: 'launch', plugin: 'c', detail: {} });
  assert.equal(log.list().at(-1)?.torn_bytes, 17);
  assert.deepEqual(log.verify(), { entries: 3 });
});

test('a last line that was shortened is kept as evidence', (t) => {
  const { file, log, lines } = setUp(t, 2);
  truncateSync(file, statSync(file).size - 10);
  log.append({ action: 'launch', plugin: 'c', detail: {} });
  assert.equal(lines().length, 3);
  assert.equal(log.verify().problem?.line, 2);
});

test('an entry that cannot be written is an error for the caller and changes nothing', (t) => {
  const { directory, file, log, store } = setUp(t, 1);
  const head = store.chain.read();
  rmSync(file);
  symlinkSync(join(directory, 'elsewhere'), file);
  assert.throws(
    () => log.append({ action: 'grant', plugin: 'p', detail: {} }),
    (error) => {
      assert.ok(MmmError.is(error, 'STATE_UNREADABLE'));
      assert.match(error.message, /therefore not done/);
      return true;
    },
  );
  rmSync(file);
  mkdirSync(file);
  assert.throws(
    () => log.append({ action: 'grant', plugin: 'p', detail: {} }),
    (error) => MmmError.is(error, 'STATE_UNREADABLE'),
  );
  assert.deepEqual(store.chain.read(), head);
});

test('list gives the last entries, oldest first, of all or of one plugin', (t) => {
  const { log } = setUp(t, 120);
  assert.equal(log.list().length, 100);
  assert.deepEqual(
    log.list({ limit: 2 }).map(({ seq }) => seq),
    [119, 120],
  );
  assert.deepEqual(
    log.list({ plugin: 'p7' }).map(({ seq }) => seq),
    [7],
  );
});

test('a huge text of a detail is cut, with the sha256 of the whole', (t) => {
  const { log } = setUp(t);
  log.append({ action: 'install', detail: { text: 'x'.repeat(100_000) } });
  const [entry] = log.list();
  assert.ok(entry);
  const { text } = entry.detail as { text: { text: string; sha256: string } };
  assert.match(text.text, /^x{256} … \(100000 characters\)$/);
  assert.match(text.sha256, /^[0-9a-f]{64}$/);
});
