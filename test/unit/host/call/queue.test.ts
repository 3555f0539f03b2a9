import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { CallQueue } from '../../../../packages/host/src/call/queue.ts';
import { settled } from '../../../support/fake-clock.ts';

/** Tasks that end when the test says so, and the order in which they started. */
function tasks() {
  const started: string[] = [];
  const ends = new Map<string, () => void>();
  const task = (name: string) => (): Promise<string> => {
    started.push(name);
    return new Promise((resolve) => ends.set(name, () => resolve(name)));
  };
  const end = async (name: string): Promise<void> => {
    ends.get(name)?.();
    await settled();
  };
  return { started, task, end };
}
const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => assert.fail('it resolved'),
    (error: unknown) => error,
  );

test('So many calls run at a time; the others follow in the order they came', async () => {
  const queue = new CallQueue({ plugin: 'p', concurrency: 2 });
  const { started, task, end } = tasks();
  const all = ['a', 'b', 'c', 'd'].map((name) => queue.run(task(name)));
  assert.deepEqual([started, queue.active, queue.queued], [['a', 'b'], 2, 2]);
  await end('b');
  assert.deepEqual(started, ['a', 'b', 'c']);
  await end('a');
  assert.deepEqual(started, ['a', 'b', 'c', 'd']);
  await end('c');
  await end('d');
  assert.deepEqual(await Promise.all(all), ['a', 'b', 'c', 'd']);
  assert.deepEqual([queue.active, queue.queued], [0, 0]);
});

test('A task that fails frees its place', async () => {
  const queue = new CallQueue({ plugin: 'p', concurrency: 1 });
  const { task, end } = tasks();
  const failing = rejection(queue.run(() => Promise.reject(new Error('no'))));
  const next = queue.run(task('next'));
  assert.match(String(await failing), /no/);
  await settled();
  await end('next');
  assert.equal(await next, 'next');
});

test('A full queue refuses the next call and says how full it is', async () => {
  const queue = new CallQueue({ plugin: 'p', concurrency: 1, queuedMax: 2 });
  const { task, end } = tasks();
  const running = [queue.run(task('a')), queue.run(task('b')), queue.run(task('c'))];
  const error = await rejection(queue.run(task('d')));
  assert.ok(MmmError.is(error, 'BUSY'));
  assert.deepEqual(error.data, { plugin: 'p', queued: 2, queuedMax: 2 });
  for (const name of ['a', 'b', 'c']) await end(name);
  await Promise.all(running);
});

test('The bytes that wait are bounded, but one large call may wait', async () => {
  const queue = new CallQueue({ plugin: 'p', concurrency: 1, queuedBytesMax: 100 });
  const { task, end } = tasks();
  const running = [queue.run(task('a')), queue.run(task('large'), { bytes: () => 500 })];
  assert.ok(MmmError.is(await rejection(queue.run(task('b'), { bytes: () => 1 })), 'BUSY'));
  await end('a');
  running.push(queue.run(task('c'), { bytes: () => 100 }));
  await end('large');
  await end('c');
  await Promise.all(running);
});

test('A call that gives up while it waits is never run and leaves its place to the next', async () => {
  const queue = new CallQueue({ plugin: 'p', concurrency: 1 });
  const { started, task, end } = tasks();
  const abort = new AbortController();
  const first = queue.run(task('first'));
  const given = rejection(queue.run(task('given up'), { signal: abort.signal }));
  const last = queue.run(task('last'));
  abort.abort('enough');
  assert.equal(await given, 'enough');
  assert.equal(await rejection(queue.run(task('late'), { signal: abort.signal })), 'enough');
  await end('first');
  await end('last');
  await Promise.all([first, last]);
  assert.deepEqual(started, ['first', 'last']);
});

test("An abort after the start is the task's own business", async () => {
  const queue = new CallQueue({ plugin: 'p', concurrency: 1 });
  const { task, end } = tasks();
  const abort = new AbortController();
  const waiting = queue.run(task('a'));
  const second = queue.run(task('b'), { signal: abort.signal });
  await end('a');
  abort.abort();
  await end('b');
  assert.equal(await second, 'b');
  await waiting;
});

test('More places are taken at once by those who wait; with fewer, those that are over them run on', async () => {
  const queue = new CallQueue({ plugin: 'p', concurrency: 1 });
  const { started, task, end } = tasks();
  const all = ['a', 'b', 'c', 'd'].map((name) => queue.run(task(name)));
  queue.resize(3);
  await settled();
  assert.deepEqual([started, queue.active, queue.queued], [['a', 'b', 'c'], 3, 1]);
  queue.resize(1);
  await end('a');
  await end('b');
  assert.deepEqual([started, queue.active], [['a', 'b', 'c'], 1]);
  await end('c');
  assert.deepEqual(started, ['a', 'b', 'c', 'd']);
  await end('d');
  assert.deepEqual(await Promise.all(all), ['a', 'b', 'c', 'd']);
  assert.equal(queue.active, 0);
});
