import assert from 'node:assert/strict';
import { test } from 'node:test';
import { supervisionFor, supervisionSection } from '../../../../packages/host/src/settings/supervision.ts';
import { restartsUnasked, supervisionPolicyOf } from '../../../../packages/host/src/supervise/policy.ts';
import { manifestOf } from '../../../support/fake-session.ts';

test('Without a word of anybody the numbers are the host’s', () => {
  const { restart, liveness, idleStopMs, standby } = supervisionPolicyOf(manifestOf([]));
  assert.deepEqual(restart, {
    kind: 'on_failure',
    important: false,
    crashesMax: 5,
    windowMs: 180_000,
    backoffMinMs: 250,
    backoffMaxMs: 30_000,
    stableAfterMs: 60_000,
    quarantineMs: 300_000,
    drainMs: 1_000,
  });
  assert.deepEqual(liveness, { pingAfterMs: 3_000, degradedAfterMs: 3_000, unresponsiveAfterMs: 30_000 });
  assert.deepEqual([idleStopMs, standby], [300_000, 'off']);
});

test('The manifest changes the numbers of the host, and cannot switch quarantine off', () => {
  const { restart } = supervisionPolicyOf(
    manifestOf([], { restart: { policy: 'always', max: 2, window_s: 10, backoff_ms: 40, backoff_max_s: 1 } }),
  );
  const { kind, crashesMax, windowMs, backoffMinMs, backoffMaxMs } = restart;
  assert.deepEqual([kind, crashesMax, windowMs, backoffMinMs, backoffMaxMs], ['always', 2, 10_000, 40, 1_000]);
  assert.equal(supervisionPolicyOf(manifestOf([], { restart: { max: 0 } })).restart.crashesMax, 1);
  assert.equal(supervisionPolicyOf(manifestOf([], { limits: { idle_stop_s: 7 } })).idleStopMs, 7_000);
});

test('What the user set counts more than the manifest, and for one plugin more than for all', () => {
  const section = supervisionSection.parse({
    crashes_max: 0,
    backoff_max_s: 0.05,
    ping_after_s: 1,
    unresponsive_after_s: 1,
    idle_stop_s: 0,
    plugins: { calculator: { crashes_max: 3, standby: 'loaded' } },
  });
  const manifest = manifestOf([], { restart: { max: 9, backoff_ms: 400 }, limits: { idle_stop_s: 7 } });
  const one = supervisionPolicyOf(manifest, supervisionFor('calculator', section));
  assert.deepEqual([one.restart.crashesMax, one.standby, one.idleStopMs], [3, 'loaded', Number.POSITIVE_INFINITY]);
  assert.deepEqual(
    [one.restart.backoffMinMs, one.restart.backoffMaxMs],
    [50, 50],
    'the longest pause bounds the first',
  );
  assert.deepEqual(one.liveness, { pingAfterMs: 1_000, degradedAfterMs: 1_000, unresponsiveAfterMs: 1_000 });
  const other = supervisionPolicyOf(manifest, supervisionFor('constructor', section));
  assert.deepEqual([other.restart.crashesMax, other.standby], [Number.POSITIVE_INFINITY, 'off']);
  assert.deepEqual(supervisionFor('calculator', undefined), {});
});

test('A plugin that is always to run is not stopped when idle, and an exclusive one has no spare', () => {
  const always = supervisionPolicyOf(manifestOf([], { restart: { policy: 'always' } }));
  assert.equal(always.idleStopMs, Number.POSITIVE_INFINITY);
  assert.ok(restartsUnasked(always.restart));
  const plugin = { ...manifestOf([]).plugin, exclusive: true, standby: 'initialized' as const };
  assert.equal(supervisionPolicyOf({ ...manifestOf([]), plugin }).standby, 'off');
});
