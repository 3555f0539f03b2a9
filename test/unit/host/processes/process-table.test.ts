import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type ProcessEntry,
  parseEntry,
  processEntry,
  processTable,
  treeOf,
} from '../../../../packages/host/src/processes/process-table.ts';

const after = '3 4 5 0 -1 4194304 1 2 3 4 5 6 7 8 20 0 1 0 987654 1000 2';
const linux = process.platform === 'linux' ? {} : { skip: 'only Linux has /proc' };

test('the name of a program may hold whatever it likes', () => {
  for (const name of ['sh', 'a b', ') R 1 1 1 (', '((', '))', '']) {
    assert.deepEqual(parseEntry(2, `2 (${name}) S ${after}`), {
      ...{ pid: 2, parent: 3, group: 4, session: 5, startedAt: '987654', hasEnded: false },
    });
  }
});

test('a process that has ended and waits for its parent is known as such', () => {
  assert.equal(parseEntry(2, `2 (sh) Z ${after}`)?.hasEnded, true);
});

test('a line that is cut short is no process', () => {
  assert.equal(parseEntry(2, '2 (sh) S 3 4'), undefined);
  assert.equal(parseEntry(2, ''), undefined);
});

test('a tree has parents before children, and each process once', () => {
  const entry = (pid: number, parent: number): ProcessEntry => {
    return { pid, parent, group: pid, session: pid, startedAt: String(pid), hasEnded: false };
  };
  const table = [entry(9, 5), entry(5, 2), entry(2, 1), entry(3, 1), entry(6, 2), entry(1, 1)];
  const pids = (...roots: number[]) => treeOf(new Set(roots), table).map(({ pid }) => pid);
  assert.deepEqual(pids(2), [2, 5, 6, 9]);
  assert.deepEqual(pids(2, 5), [5, 2, 9, 6]);
  assert.deepEqual(pids(1).toSorted(), [1, 2, 3, 5, 6, 9], 'the first process is its own parent in some containers');
  assert.deepEqual(pids(7), []);
});

test('this process is in the table, with the same time of start each time', linux, () => {
  const own = processEntry(process.pid);
  assert.equal(own?.parent, process.ppid);
  assert.deepEqual(
    processTable().find(({ pid }) => pid === process.pid),
    own,
  );
  assert.equal(processEntry(2 ** 22 + 1), undefined);
});
