import assert from 'node:assert/strict';
import { test } from 'node:test';
import { itemsOf } from '../../../../packages/host/src/daemon/item-stream.ts';

test('items come in their order, also those from before anybody looked, and the end after them', async () => {
  const items = itemsOf(async (onItems) => {
    onItems([1, 2]);
    await Promise.resolve();
    onItems([3]);
  });
  const seen: unknown[] = [];
  for await (const item of items) seen.push(item);
  assert.deepEqual(seen, [1, 2, 3]);
});

test('whoever leaves the loop ends the producer', async () => {
  let ended: AbortSignal | undefined;
  const items = itemsOf((onItems, signal) => {
    ended = signal;
    onItems([1, 2, 3]);
    return new Promise(() => undefined);
  });
  for await (const item of items) {
    assert.equal(item, 1);
    break;
  }
  assert.equal(ended?.aborted, true);
});

test('what the producer fails with is thrown after what it handed over', async () => {
  const items = itemsOf(async (onItems) => {
    onItems([1]);
    throw new Error('it broke');
  });
  const seen: unknown[] = [];
  await assert.rejects(async () => {
    for await (const item of items) seen.push(item);
  }, /it broke/);
  assert.deepEqual(seen, [1]);
});

test('an end that was asked for is no error', async () => {
  const asked = new AbortController();
  const items = itemsOf((_onItems, ended) => {
    return new Promise((_resolve, reject) => ended.addEventListener('abort', () => reject(new Error('ended'))));
  }, asked.signal);
  const first = items.next();
  asked.abort();
  assert.deepEqual(await first, { done: true, value: undefined });
});
