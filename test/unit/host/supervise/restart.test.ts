import assert from 'node:assert/strict';
import { test } from 'node:test';
import { supervisionPolicyOf } from '../../../../packages/host/src/supervise/policy.ts';
import { backoffMs, withCrash } from '../../../../packages/host/src/supervise/restart.ts';
import { manifestOf } from '../../../support/fake-session.ts';

const policy = supervisionPolicyOf(manifestOf([])).restart;

test('The first restart is immediate; later waits double from 250 ms up to 30 s', () => {
  const longest = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 50].map((crashes) => backoffMs(crashes, policy, 1));
  assert.deepEqual(longest, [0, 250, 500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000, 30_000]);
});

test('A random part of the wait is waited', () => {
  assert.equal(backoffMs(3, policy, 0), 0);
  assert.equal(backoffMs(3, policy, 0.5), 250);
});

test('Crashes leave the window, and their list is bounded', () => {
  assert.deepEqual(withCrash([0, 1000], 180_500, policy), [1000, 180_500]);
  assert.equal(withCrash([1, 2, 3, 4, 5], 6, policy).length, 5);
});
