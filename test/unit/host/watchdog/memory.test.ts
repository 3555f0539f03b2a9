import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { MemoryMeasure } from '../../../../packages/host/src/watchdog/memory.ts';
import { settled } from '../../../support/fake-clock.ts';
import { FakeProcesses } from '../../../support/fake-processes.ts';

const mb = 1024 * 1024;

function plugin(rows: readonly { resident: number; unshared?: number; proportional?: number }[]) {
  const processes = new FakeProcesses();
  const residents = rows.map(({ resident, unshared, proportional }, pid) => {
    processes.set(pid, {
      parent: 1,
      residentBytes: resident * mb,
      ...(unshared === undefined ? {} : { unsharedBytes: unshared * mb }),
      ...(proportional === undefined ? {} : { proportionalBytes: proportional * mb }),
    });
    return { ...(processes.stat(pid) as NonNullable<ReturnType<FakeProcesses['stat']>>), pid };
  });
  return { processes, residents, measure: new MemoryMeasure(processes, 100 * mb) };
}

test('below the limit the quick sum is enough', () => {
  const { processes, residents, measure } = plugin([{ resident: 40 }, { resident: 50 }]);
  assert.equal(measure.bytes(residents, 0), 90 * mb);
  assert.equal(processes.asked.unsharedBytes, 0);
});

test('pages of files do not count', async () => {
  const { residents, measure } = plugin([{ resident: 180, unshared: 60 }]);
  measure.bytes(residents, 0);
  await settled();
  assert.equal(measure.bytes(residents, 0), 60 * mb);
});

test('what processes share counts once, as soon as it is known what that is', async () => {
  const row = { resident: 60, unshared: 60, proportional: 20 };
  const { residents, measure } = plugin([row, row, row]);
  assert.equal(measure.bytes(residents, 0), 100 * mb, 'not over the limit before it is known');
  await settled();
  assert.equal(measure.bytes(residents, 0), 60 * mb);
});

test('one process that is over the limit by itself is not measured page by page', () => {
  const { processes, residents, measure } = plugin([{ resident: 150, unshared: 140 }]);
  assert.equal(measure.bytes(residents, 0), 140 * mb);
  assert.equal(processes.asked.proportionalBytes, 0);
});

test('what cannot be looked at closely counts as it is', async () => {
  const { residents, measure } = plugin([{ resident: 70 }, { resident: 70 }]);
  measure.bytes(residents, 0);
  await settled();
  assert.equal(measure.bytes(residents, 0), 140 * mb);
});

test('the closer look is not taken again before the quick sum changed much', async () => {
  const row = { resident: 60, unshared: 60, proportional: 20 };
  const { processes, residents, measure } = plugin([row, row]);
  measure.bytes(residents, 0);
  await settled();
  const before = processes.asked.proportionalBytes;
  const grown = (more: number) => residents.map((one) => ({ ...one, residentBytes: one.residentBytes + more * mb }));
  measure.bytes(grown(1), 0);
  assert.equal(processes.asked.proportionalBytes, before);
  measure.bytes(grown(10), 0);
  assert.equal(processes.asked.proportionalBytes > before, true);
});

test('a plugin that keeps it from being known what it shares has all of it counted in the end', () => {
  const row = { resident: 60, unshared: 60 };
  const { processes, residents } = plugin([row, row]);
  processes.proportionalBytes = () => new Promise(() => undefined);
  const measure = new MemoryMeasure(processes, 100 * mb);
  assert.equal(measure.bytes(residents, 0), 100 * mb);
  assert.equal(measure.bytes(residents, hostLimits.memoryWalkMs), 100 * mb);
  assert.equal(measure.bytes(residents, hostLimits.memoryWalkMs + 1), 120 * mb);
});
