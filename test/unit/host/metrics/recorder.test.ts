import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MetricsRecorder } from '../../../../packages/host/src/metrics/recorder.ts';
import type { PluginStatistics, StatisticsDelta, StatisticsStore } from '../../../../packages/host/src/store/store.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const zero: PluginStatistics = {
  executions: 0,
  failures: 0,
  lastAtMs: null,
  totalMs: 0,
  maxMs: 0,
  buckets: [],
  loads: 0,
  lastLoadMs: null,
  exits: {},
  lastExits: [],
};

/** Remembers the last delta of each plugin and how often it was called. */
class RecordingStore implements StatisticsStore {
  readonly added: { id: string; executions: number }[] = [];
  stored = zero;
  fails = false;
  add(id: string, delta: StatisticsDelta): void {
    if (this.fails) throw new Error('disk full');
    this.added.push({ id, executions: delta.executions });
    this.stored = structuredClone(delta);
  }
  read(): PluginStatistics {
    return this.stored;
  }
  removeAll(): void {}
}

const call = (durationMs: number, ok = true) => ({ ok, durationMs, atMs: 1000 + durationMs });

test('counts are written once a second, and no timer runs while nothing happens', async () => {
  const [store, clock] = [new RecordingStore(), new FakeClock()];
  const recorder = new MetricsRecorder(store, clock);
  assert.equal(clock.waiting, 0);
  for (let index = 0; index < 50; index += 1) recorder.called('a', call(1));
  recorder.called('b', call(1));
  assert.deepEqual(store.added, []);
  await clock.advance(1000);
  assert.deepEqual(store.added, [
    { id: 'a', executions: 50 },
    { id: 'b', executions: 1 },
  ]);
  assert.equal(clock.waiting, 0);
  await clock.advance(60_000);
  assert.equal(store.added.length, 2);
});

test('reading adds what is not yet written', async () => {
  const [store, clock] = [new RecordingStore(), new FakeClock()];
  const recorder = new MetricsRecorder(store, clock);
  recorder.loaded('a', 40);
  recorder.called('a', call(10));
  recorder.called('a', call(30, false));
  recorder.exited('a', { atMs: 1, kind: 'exit', detail: 'code 1', stderrTail: '' });
  recorder.flush();
  recorder.called('a', call(20));
  recorder.exited('a', { atMs: 2, kind: 'exit', detail: 'code 1', stderrTail: '' });
  const read = recorder.read('a');
  assert.deepEqual(
    {
      ...read,
      buckets: read.buckets.reduce((sum, count) => sum + count, 0),
      lastExits: read.lastExits.map(({ atMs }) => atMs),
    },
    {
      executions: 3,
      failures: 1,
      lastAtMs: 1020,
      totalMs: 60,
      maxMs: 30,
      buckets: 3,
      loads: 1,
      lastLoadMs: 40,
      exits: { exit: 2 },
      lastExits: [2, 1],
    },
  );
});

test('a store that fails costs nothing but time: the counts stay and are written later', async () => {
  const [store, clock] = [new RecordingStore(), new FakeClock()];
  const recorder = new MetricsRecorder(store, clock);
  store.fails = true;
  recorder.called('a', call(1));
  await clock.advance(3000);
  assert.equal(recorder.flushFailures, 3);
  recorder.called('a', call(1));
  store.fails = false;
  await clock.advance(1000);
  assert.deepEqual(store.added, [{ id: 'a', executions: 2 }]);
});

test('closing writes at once and leaves no timer, also when the store fails', () => {
  const [store, clock] = [new RecordingStore(), new FakeClock()];
  const recorder = new MetricsRecorder(store, clock);
  recorder.called('a', call(1));
  recorder.called('b', call(1));
  recorder.forget('b');
  recorder.close();
  assert.deepEqual(store.added, [{ id: 'a', executions: 1 }]);
  const failing = new MetricsRecorder(store, clock);
  store.fails = true;
  failing.called('a', call(1));
  failing.close();
  assert.equal(clock.waiting, 0);
});
