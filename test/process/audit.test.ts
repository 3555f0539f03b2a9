import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { systemClock } from '@mmm/rpc';
import { AuditLog } from '../../packages/host/src/audit/audit-log.ts';
import { openStore } from '../../packages/host/src/store/store.ts';
import { tempFolder } from '../support/temp-folder.ts';

const writer = join(import.meta.dirname, '../fixtures/programs/audit-writer.ts');

/** A process that waits for a line on stdin and then appends `count` entries, printing the number of each. */
function startWriter(
  t: TestContext,
  directory: string,
  name: string,
  count: number,
  fileBytes = 8 * 1024 * 1024,
): ChildProcess {
  const numbers = [count, fileBytes].map(String);
  const args = ['--import', 'tsx', '--conditions=mmm-source', writer, directory, name, ...numbers];
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

const linesOf = (child: ChildProcess): AsyncIterableIterator<string> => {
  assert.ok(child.stdout !== null);
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]();
};

function reopen(t: TestContext, directory: string): AuditLog {
  const store = openStore(join(directory, 'state.db'));
  t.after(() => store.close());
  return new AuditLog({ directory, chain: store.chain, clock: systemClock });
}

test('four processes that append at the same time to a fresh home make one chain', { timeout: 120_000 }, async (t) => {
  const directory = tempFolder(t);
  const names = ['a', 'b', 'c', 'd'];
  const children = names.map((name) => startWriter(t, directory, name, 200));
  const outputs = children.map(linesOf);
  for (const output of outputs) assert.equal((await output.next()).value, 'ready');
  for (const child of children) child.stdin?.end('go\n');
  const exits = children.map((child) => once(child, 'exit'));
  for (const output of outputs) while (!(await output.next()).done);
  for (const exit of exits) assert.deepEqual(await exit, [0, null]);
  const log = reopen(t, directory);
  assert.deepEqual(log.verify(), { entries: 800 });
  for (const name of names) {
    const own = log.list({ plugin: name, limit: 1000 });
    assert.deepEqual(
      own.map(({ detail }) => detail.index),
      Array.from({ length: 200 }, (_, index) => index),
    );
  }
});

test('kill -9 in the middle of appending loses no acknowledged entry and leaves a chain that goes on', {
  timeout: 120_000,
}, async (t) => {
  const directory = tempFolder(t);
  for (let round = 0; round < 5; round += 1) {
    const name = `r${round}`;
    const child = startWriter(t, directory, name, 1_000_000);
    const output = linesOf(child);
    assert.equal((await output.next()).value, 'ready');
    child.stdin?.end('go\n');
    let acknowledged = -1;
    while (acknowledged < 20 + round * 7) acknowledged = Number((await output.next()).value);
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    for (let line = await output.next(); !line.done; line = await output.next()) acknowledged = Number(line.value);
    await exited;
    const log = reopen(t, directory);
    assert.equal(log.verify().problem, undefined);
    log.append({ action: 'key', plugin: 'after', detail: { round } });
    assert.equal(log.verify().problem, undefined);
    const own = log.list({ plugin: name, limit: 1_000_000 });
    assert.ok(own.length >= acknowledged + 1, `${own.length} entries, ${acknowledged} acknowledged`);
    assert.ok(own.length <= acknowledged + 3);
  }
  const lines = readFileSync(join(directory, 'audit.jsonl'), 'utf8').trimEnd().split('\n');
  assert.equal(reopen(t, directory).verify().entries, lines.length);
});

test('processes that append and put full files by at the same time make one chain over all files', {
  timeout: 120_000,
}, async (t) => {
  const directory = tempFolder(t);
  const children = ['a', 'b', 'c', 'd'].map((name) => startWriter(t, directory, name, 100, 4096));
  const outputs = children.map(linesOf);
  for (const output of outputs) assert.equal((await output.next()).value, 'ready');
  const exits = children.map((child) => once(child, 'exit'));
  for (const child of children) child.stdin?.end('go\n');
  const log = reopen(t, directory);
  // Meanwhile a reader never sees anything but an intact log.
  for (const output of outputs) {
    for (let line = await output.next(); !line.done; line = await output.next()) {
      if (Number(line.value) % 25 === 0) assert.equal(log.verify().problem, undefined);
    }
  }
  for (const exit of exits) assert.deepEqual(await exit, [0, null]);
  assert.deepEqual(log.verify(), { entries: 400 });
  assert.equal(log.list({ limit: 1000 }).length, 400);
  assert.ok(readdirSync(directory).filter((name) => /^audit\.\d{12}\.jsonl$/.test(name)).length >= 15);
});

test('kill -9 while files are put by loses nothing and leaves a chain that goes on', {
  timeout: 120_000,
}, async (t) => {
  const directory = tempFolder(t);
  for (let round = 0; round < 6; round += 1) {
    const name = `r${round}`;
    // Every second entry or so puts a file by, so that most deaths are near one.
    const child = startWriter(t, directory, name, 1_000_000, 400);
    const output = linesOf(child);
    assert.equal((await output.next()).value, 'ready');
    child.stdin?.end('go\n');
    let acknowledged = -1;
    while (acknowledged < 10 + round * 3) acknowledged = Number((await output.next()).value);
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    for (let line = await output.next(); !line.done; line = await output.next()) acknowledged = Number(line.value);
    await exited;
    const log = reopen(t, directory);
    log.append({ action: 'key', plugin: 'after', detail: { round } });
    assert.equal(log.verify().problem, undefined);
    const own = log.list({ plugin: name, limit: 1_000_000 });
    assert.ok(own.length >= acknowledged + 1, `${own.length} entries, ${acknowledged} acknowledged`);
  }
});
