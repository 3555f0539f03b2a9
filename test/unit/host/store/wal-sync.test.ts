import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { WalSync } from '../../../../packages/host/src/store/wal-sync.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

interface Turn {
  done(error?: Error): void;
}

/** A disk whose every sync is ended by the test. */
function slowDisk(t: TestContext, rewrite: () => void = () => undefined) {
  const file = join(tempFolder(t), 'state.db');
  writeFileSync(`${file}-wal`, '');
  const waiting: ((turn: Turn) => void)[] = [];
  const turns: Turn[] = [];
  const sync = (): Promise<void> =>
    new Promise((resolve, reject) => {
      const turn: Turn = { done: (error) => (error === undefined ? resolve() : reject(error)) };
      const next = waiting.shift();
      if (next === undefined) turns.push(turn);
      else next(turn);
    });
  const next = (): Promise<Turn> => {
    const turn = turns.shift();
    return turn === undefined ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve(turn);
  };
  return { wal: new WalSync(file, rewrite, sync), next, begun: () => turns.length };
}

test('nothing is synced when nothing was written', async (t) => {
  const { wal, begun } = slowDisk(t);
  await wal.synced();
  assert.equal(begun(), 0);
});

test('what was written while a sync ran waits for the next one, which serves all of it', async (t) => {
  const { wal, next, begun } = slowDisk(t);
  const ended: string[] = [];
  const write = (name: string): Promise<void> => {
    wal.committed();
    return wal.synced().then(() => void ended.push(name));
  };
  const first = write('first');
  const turn = await next();
  const others = [write('second'), write('third')];
  turn.done();
  await first;
  assert.deepEqual(ended, ['first']);
  (await next()).done();
  await Promise.all(others);
  assert.deepEqual(ended, ['first', 'second', 'third']);
  assert.equal(begun(), 0);
});

test('a sync that fails is told, and nothing counts as synced before it was written again', async (t) => {
  let rewrites = 0;
  let isDiskFull = true;
  const { wal, next } = slowDisk(t, () => {
    rewrites += 1;
    if (isDiskFull) throw new MmmError('STATE_UNREADABLE', 'The disk is full.', { file: 'f', reason: 'full' });
  });
  wal.committed();
  const failed = wal.synced();
  (await next()).done(Object.assign(new Error('EIO: i/o error, fdatasync'), { code: 'EIO' }));
  await assert.rejects(failed, (error) => MmmError.is(error, 'STATE_UNREADABLE') && error.data.problem === 'io');
  // The kernel would say yes now although the pages are lost: only the database itself is believed.
  await assert.rejects(wal.synced(), /The disk is full/);
  isDiskFull = false;
  const mended = wal.synced();
  (await next()).done();
  await mended;
  assert.equal(rewrites, 2);
});

test('without a log there is nothing to sync: SQLite has it in the database', async (t) => {
  const wal = new WalSync(join(tempFolder(t), 'state.db'), () => undefined);
  wal.committed();
  await wal.synced();
});
