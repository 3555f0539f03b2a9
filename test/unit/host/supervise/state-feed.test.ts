import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { StateFeed } from '../../../../packages/host/src/supervise/state-feed.ts';

test('A reader that does not read keeps the newest values only', async () => {
  const feed = new StateFeed<number>();
  const abort = new AbortController();
  const reader = feed.read(abort.signal);
  for (let value = 1; value <= 1000; value++) feed.publish(value);
  const seen: number[] = [];
  for await (const value of reader) {
    seen.push(value);
    if (value === 1000) abort.abort();
  }
  assert.equal(seen.length, hostLimits.changesKept);
  assert.equal(seen[0], 1001 - hostLimits.changesKept);
});

test('An abort ends a reader that waits, and one that comes too late ends at once', async () => {
  const feed = new StateFeed<number>();
  const abort = new AbortController();
  const next = feed.read(abort.signal)[Symbol.asyncIterator]().next();
  abort.abort();
  assert.equal((await next).done, true);
  assert.equal((await feed.read(abort.signal)[Symbol.asyncIterator]().next()).done, true);
});

test('A reader that leaves early is forgotten', async () => {
  const feed = new StateFeed<number>();
  const reader = feed.read(new AbortController().signal);
  feed.publish(1);
  for await (const value of reader) {
    assert.equal(value, 1);
    break;
  }
  feed.publish(2);
  assert.equal((await reader[Symbol.asyncIterator]().next()).done, true);
});
