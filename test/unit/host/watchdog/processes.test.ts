import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { parseStat, systemProcesses } from '../../../../packages/host/src/watchdog/processes.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const line =
  '42 (a) b (c) S 7 42 40 0 -1 4194304 1 2 3 4 150 50 20 10 20 0 11 0 9000 123456 300 18446744073709551615 1 1 0 0';

test('a line of /proc/PID/stat is read whatever the program is called', () => {
  assert.deepEqual(parseStat(line, 10, 4096), {
    parent: 7,
    session: 40,
    startedAt: 9000,
    cpuMs: 2300,
    threads: 11,
    isRunning: false,
    residentBytes: 300 * 4096,
  });
});

test('a process that runs is told from one that waits', () => {
  const states = ['R', 'D', 'S', 'Z'].map(
    (state) => parseStat(line.replace(') S 7', `) ${state} 7`), 10, 4096)?.isRunning,
  );
  assert.deepEqual(states, [true, true, false, false]);
});

for (const broken of [undefined, '', '42 (cut', '42 (cut) S 7']) {
  test(`no facts are made of ${JSON.stringify(broken)}`, () => {
    assert.equal(parseStat(broken, 10, 4096), undefined);
  });
}

test('a table is read from its folder, and what is missing is left out', async (t) => {
  const root = tempFolder(t);
  mkdirSync(join(root, '42'));
  mkdirSync(join(root, 'sys'));
  writeFileSync(join(root, '42', 'stat'), line);
  writeFileSync(join(root, '42', 'statm'), '1000 300 20 1 0 50 0\n');
  writeFileSync(
    join(root, '42', 'status'),
    'Name:\tx\nRssAnon:\t 10 kB\nRssFile:\t 99 kB\nRssShmem:\t 2 kB\nVmSwap:\t 1 kB\n',
  );
  writeFileSync(join(root, 'loadavg'), '0.00 0.01 0.05 1/200 4711\n');
  const table = systemProcesses(root);
  assert.deepEqual(table.pids(), [42]);
  assert.equal(table.lastPid(), 4711);
  assert.equal(table.stat(42)?.threads, 11);
  assert.equal(table.residentBytes(42), 300 * 4096);
  assert.equal(table.unsharedBytes(42), 13 * 1024);
  assert.equal(await table.proportionalBytes(42), undefined);
  assert.equal(table.stat(43), undefined);
  assert.equal(table.residentBytes(43), undefined);
  assert.deepEqual(systemProcesses(join(root, 'nowhere')).pids(), []);
});

test('this machine tells of this process', { skip: process.platform !== 'linux' }, async () => {
  const table = systemProcesses();
  assert.equal(table.pids().includes(process.pid), true);
  const stat = table.stat(process.pid);
  assert.equal(stat?.parent, process.ppid);
  const resident = process.memoryUsage().rss;
  assert.equal(Math.abs((stat?.residentBytes ?? 0) - resident) < resident / 2, true);
  assert.equal(((await table.proportionalBytes(process.pid)) ?? 0) > 1_000_000, true);
});
