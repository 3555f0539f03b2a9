import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { MetricsRecorder } from '../../../../packages/host/src/metrics/recorder.ts';
import {
  type CounterName,
  counterNames,
  type PluginStatistics,
  type StatisticsDelta,
  type StatisticsStore,
} from '../../../../packages/host/src/store/store.ts';
import { emptyCounters } from '../../../../packages/rpc/src/connection-options.ts';
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
  restarts: {},
  counters: Object.fromEntries(counterNames.map((name) => [name, 0])) as Record<CounterName, number>,
  recorded: [],
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
  together(work: () => void): void {
    work();
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
      ...zero,
      ...read,
      buckets: read.buckets.reduce((sum, count) => sum + count, 0),
      lastExits: read.lastExits.map(({ atMs }) => atMs),
    },
    {
      ...zero,
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

test('what a session counts on its pipes is added once, while it lives and when it ends', async () => {
  const [store, clock] = [new RecordingStore(), new FakeClock()];
  const recorder = new MetricsRecorder(store, clock);
  const counters = emptyCounters();
  let end: () => void = () => undefined;
  const ended = new Promise<void>((resolve) => {
    end = resolve;
  });
  recorder.watch('a', counters, ended);
  assert.equal(clock.waiting, 0, 'a session that says nothing costs no write');
  counters.bytesIn = 100;
  counters.faults.late_reply = 2;
  counters.faults.unknown_id = 1;
  assert.equal(recorder.read('a').counters.bytesIn, 100);
  assert.equal(recorder.read('a').counters.bytesIn, 100);
  assert.equal(recorder.read('a').counters.answersDropped, 3);
  await clock.advance(1000);
  assert.equal(store.stored.counters.bytesIn, 100);
  counters.bytesIn = 150;
  end();
  await clock.advance(1000);
  assert.equal(store.stored.counters.bytesIn, 50, 'only what came since');
  counters.bytesIn = 500;
  await clock.advance(60_000);
  assert.equal(recorder.read('a').counters.bytesIn, 50, 'nobody asks a session that has ended');
});

test('a host that closes writes what its sessions counted until then', () => {
  const store = new RecordingStore();
  const recorder = new MetricsRecorder(store, new FakeClock());
  const counters = emptyCounters();
  recorder.watch('a', counters, new Promise(() => undefined));
  counters.messagesOut = 3;
  recorder.close();
  assert.equal(store.stored.counters.messagesOut, 3);
});

test('restarts are counted by what had ended the session before', () => {
  const recorder = new MetricsRecorder(new RecordingStore(), new FakeClock());
  for (const cause of ['signal', 'memory', 'signal']) recorder.restarted('a', cause);
  assert.deepEqual(recorder.read('a').restarts, { signal: 2, memory: 1 });
});

test('recorded values are summed by name and labels, in whatever order the labels come', () => {
  const recorder = new MetricsRecorder(new RecordingStore(), new FakeClock());
  assert.ok(recorder.record('a', 'rooms', 1, { b: '2', a: '1' }));
  assert.ok(recorder.record('a', 'rooms', 3, { a: '1', b: '2' }));
  assert.ok(recorder.record('a', 'rooms', 5, {}));
  assert.deepEqual(recorder.read('a').recorded, [
    { name: 'rooms', labels: { a: '1', b: '2' }, count: 2, sum: 4, last: 3 },
    { name: 'rooms', labels: {}, count: 1, sum: 5, last: 5 },
  ]);
});

test('one series too many is refused and counted, also over the end of a host', () => {
  const store = new RecordingStore();
  const first = new MetricsRecorder(store, new FakeClock());
  for (let index = 0; index < hostLimits.metricSeries - 1; index += 1) {
    assert.ok(first.record('a', 'm', 1, { index: String(index) }));
  }
  first.close();
  const recorder = new MetricsRecorder(store, new FakeClock());
  assert.ok(recorder.record('a', 'm', 1, { index: 'last' }));
  assert.equal(recorder.record('a', 'm', 1, { index: 'one too many' }), false);
  assert.ok(recorder.record('a', 'm', 2, { index: '0' }), 'one that is there goes on');
  assert.ok(recorder.record('b', 'm', 1, {}), 'each plugin has its own');
  const { recorded, counters } = recorder.read('a');
  assert.equal(recorded.length, hostLimits.metricSeries);
  assert.equal(counters.metricsRefused, 1);
});

test('statistics of many plugins are written a part a turn, and all of them at once when the host closes', async () => {
  const [store, clock] = [new RecordingStore(), new FakeClock()];
  const recorder = new MetricsRecorder(store, clock);
  const many = hostLimits.metricsFlushPlugins * 2 + 1;
  const record = () => Array.from({ length: many }, (_, index) => recorder.called(`p${index}`, call(1)));
  record();
  let transactions = 0;
  store.together = (work) => {
    transactions += 1;
    work();
  };
  await clock.advance(1000);
  assert.deepEqual([store.added.length, transactions], [many, 3]);
  assert.equal(clock.waiting, 0);
  record();
  recorder.close();
  assert.equal(store.added.length, 2 * many);
});
