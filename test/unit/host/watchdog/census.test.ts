import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { Census } from '../../../../packages/host/src/watchdog/census.ts';
import { FakeProcesses } from '../../../support/fake-processes.ts';

const roots = new Map([[10, 0]]);
const closely = new Set([10]);
function pidsOf(census: Census): number[] {
  const residents = census.take(roots, closely).get(10)?.residents ?? [];
  return residents.map(({ pid }) => pid).sort((a, b) => a - b);
}

test('descendants are found in whatever order they are listed, and orphans stay with the plugin', () => {
  const processes = new FakeProcesses();
  processes.set(13, { parent: 12 });
  processes.set(12, { parent: 10 });
  processes.set(10, { parent: 1 });
  processes.set(50, { parent: 1 });
  const census = new Census(processes);
  assert.deepEqual(pidsOf(census), [10, 12, 13]);
  processes.end(12);
  processes.set(13, { parent: 1 });
  assert.deepEqual(pidsOf(census), [10, 13]);
});

test('a number that is used again belongs to whoever uses it now', () => {
  const processes = new FakeProcesses();
  processes.set(10, { parent: 1 });
  processes.set(12, { parent: 10, startedAt: 1 });
  const census = new Census(processes);
  assert.deepEqual(pidsOf(census), [10, 12]);
  processes.set(12, { parent: 1, startedAt: 2 });
  assert.deepEqual(pidsOf(census), [10]);
});

test('a number of a stranger that a plugin uses later is found out after some looks', () => {
  const processes = new FakeProcesses();
  processes.set(10, { parent: 1 });
  processes.set(60, { parent: 1 });
  const census = new Census(processes);
  pidsOf(census);
  processes.set(60, { parent: 10, startedAt: 99 });
  for (let look = 0; look < hostLimits.watchForgetLooks; look++) pidsOf(census);
  assert.deepEqual(pidsOf(census), [10, 60]);
});

test('without a process namespace what stays in the session counts', () => {
  const processes = new FakeProcesses();
  processes.set(10, { parent: 1, session: 10 });
  processes.set(14, { parent: 1, session: 10 });
  assert.deepEqual(pidsOf(new Census(processes)), [10, 14]);
});

test('strangers are asked once and not at every look', () => {
  const processes = new FakeProcesses();
  processes.set(10, { parent: 1 });
  for (let pid = 100; pid < 200; pid++) processes.set(pid, { parent: 1 });
  const census = new Census(processes);
  pidsOf(census);
  const before = processes.asked.stat;
  pidsOf(census);
  assert.equal(processes.asked.stat - before, 1);
});
