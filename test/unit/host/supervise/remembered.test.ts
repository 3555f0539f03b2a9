import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { supervisionPolicyOf } from '../../../../packages/host/src/supervise/policy.ts';
import { recordOf, stateOf } from '../../../../packages/host/src/supervise/remembered.ts';
import type { PluginState } from '../../../../packages/host/src/supervise/state.ts';
import { FakeSession, manifestOf } from '../../../support/fake-session.ts';

const policy = supervisionPolicyOf(manifestOf([])).restart;
const nowMs = 1_000_000;
const cause = new MmmError('PLUGIN_EXITED', 'It ended.', {
  plugin: 'p',
  reason: { kind: 'exit', code: 3, stderrTail: 'last words\n' },
});
/** As a file keeps it. */
const again = (state: PluginState) => stateOf(JSON.parse(JSON.stringify(recordOf(state))), policy, nowMs);

test('Backoff and quarantine go on in the next host, with their cause', () => {
  const crashes = [nowMs - 2_000, nowMs - 1_000];
  const backoff = again({ kind: 'backoff', untilMs: nowMs + 200, cause, wanted: true, crashes });
  assert.ok(backoff.kind === 'backoff' && !backoff.wanted, 'nobody waits for it yet');
  assert.deepEqual([backoff.untilMs, backoff.crashes], [nowMs + 200, crashes]);
  const quarantined = again({ kind: 'quarantined', untilMs: nowMs + 9, cause });
  assert.ok(quarantined.kind === 'quarantined' && quarantined.untilMs === nowMs + 9);
  assert.ok(MmmError.is(quarantined.cause, 'PLUGIN_EXITED'));
  assert.deepEqual(quarantined.cause.data, cause.data);
});

test('A host that ends during a trial leaves the quarantine behind', () => {
  assert.equal(again({ kind: 'probing', sinceMs: nowMs, untilMs: nowMs - 1, cause }).kind, 'quarantined');
  const stopping = { kind: 'stopping', session: undefined, reason: 'closing', next: 'stopped', crashes: [] } as const;
  assert.equal(again({ ...stopping, quarantine: { untilMs: nowMs - 1, cause } }).kind, 'quarantined');
});

test('Crashes within the window are still counted, older ones and a backoff that is over are not', () => {
  const session = new FakeSession();
  const old = nowMs - policy.windowMs;
  const running = again({ kind: 'running', sinceMs: 0, session, crashes: [old, nowMs - 5], probation: false });
  assert.deepEqual(running, { kind: 'stopped', reason: 'it was not started yet', crashes: [nowMs - 5] });
  const over = again({ kind: 'backoff', untilMs: nowMs, cause, wanted: false, crashes: [nowMs - 5] });
  assert.deepEqual([over.kind, 'crashes' in over && over.crashes], ['stopped', [nowMs - 5]]);
});

test('A plugin without crashes leaves nothing to remember', () => {
  assert.equal(recordOf({ kind: 'stopped', reason: 'closing', crashes: [] }), undefined);
  assert.equal(recordOf({ kind: 'failed', cause, crashes: [] }), undefined);
});

test('What cannot be meant counts for nothing: a clock set back, a cause unknown here, quarantine switched off', () => {
  const late = recordOf({
    kind: 'backoff',
    untilMs: nowMs + policy.backoffMaxMs + 1,
    cause,
    wanted: false,
    crashes: [],
  });
  assert.equal(stateOf(late, policy, nowMs).kind, 'stopped');
  const record = recordOf({ kind: 'quarantined', untilMs: nowMs + 9, cause });
  assert.ok(record !== undefined);
  const unknown = { ...record, cause: { code: 'constructor', message: '', data: null } };
  assert.equal(stateOf(unknown, policy, nowMs).kind, 'stopped');
  assert.equal(stateOf(record, { ...policy, crashesMax: Number.POSITIVE_INFINITY }, nowMs).kind, 'stopped');
});
