import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketOf, latencyBoundsMs, quantileMs, summarize } from '../../../../packages/host/src/metrics/histogram.ts';

test('bounds grow, and a latency lies in the first bucket whose bound it does not exceed', () => {
  for (const [index, boundMs] of latencyBoundsMs.entries()) {
    assert.ok(boundMs > (latencyBoundsMs[index - 1] ?? 0));
    assert.equal(bucketOf(boundMs), index);
    assert.equal(bucketOf(boundMs * 1.01), index + 1);
  }
  assert.equal(bucketOf(0), 0);
  assert.equal(bucketOf(1e12), latencyBoundsMs.length);
});

test('estimates are within their bucket and never above the longest call', () => {
  const buckets = new Array<number>(latencyBoundsMs.length + 1).fill(0);
  buckets[bucketOf(1.5)] = 90;
  buckets[bucketOf(150)] = 10;
  const at = (share: number): number => quantileMs(buckets, share, 130) ?? Number.NaN;
  assert.ok(at(0.5) > 1 && at(0.5) <= 2);
  assert.ok(at(0.9) > 1 && at(0.9) <= 2);
  assert.ok(at(0.95) > 100 && at(0.95) <= 130);
  assert.equal(at(1), 130);
  assert.equal(quantileMs([], 0.5, 0), null);
});

test('the bucket of the longest calls ends at the longest of them', () => {
  const buckets = new Array<number>(latencyBoundsMs.length + 1).fill(0);
  buckets[latencyBoundsMs.length] = 4;
  const estimate = quantileMs(buckets, 0.5, 600_000) ?? 0;
  assert.ok(estimate >= 500_000 && estimate <= 600_000);
});

test('a summary is empty without calls', () => {
  const nothing = {
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
  assert.deepEqual(new Set(Object.values(summarize(nothing))), new Set([null]));
  const some = summarize({
    ...nothing,
    executions: 4,
    failures: 1,
    totalMs: 8,
    maxMs: 2,
    buckets: [0, 0, 0, 0, 0, 0, 4],
  });
  assert.equal(some.averageMs, 2);
  assert.equal(some.failureShare, 0.25);
  assert.equal(some.maxMs, 2);
});
