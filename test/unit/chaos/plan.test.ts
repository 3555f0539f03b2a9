import assert from 'node:assert/strict';
import { test } from 'node:test';
import { faultNames } from '../../../chaos/faults.ts';
import { plan } from '../../../chaos/plan.ts';

const options = { seed: 1, seconds: 300, plugins: 20, faultsPerSecond: 7.2 };

test('a plan of faults depends on its seed alone', () => {
  assert.deepEqual(plan(options), plan(options));
  assert.notDeepEqual(plan(options), plan({ ...options, seed: 2 }));
});

test('five minutes of faults are more than two thousand, in order of time and within it', () => {
  const planned = plan(options);
  assert.ok(planned.length >= 2000, `${planned.length} faults`);
  for (const [index, { atMs }] of planned.entries()) {
    assert.ok(atMs >= (planned[index - 1]?.atMs ?? 0) && atMs <= 300_000, `fault ${index} at ${atMs} ms`);
  }
});

test('every plugin gets every kind of fault, and none two in one round', () => {
  const planned = plan(options);
  for (let plugin = 0; plugin < options.plugins; plugin += 1) {
    const own = planned.filter((fault) => fault.plugin === plugin);
    assert.ok(own.length >= 100, `plugin ${plugin} gets ${own.length}`);
  }
  assert.deepEqual([...new Set(planned.map(({ fault }) => fault))].toSorted(), faultNames.toSorted());
  const firstRound = planned.slice(0, options.plugins).map(({ plugin }) => plugin);
  assert.equal(new Set(firstRound).size, options.plugins);
});
