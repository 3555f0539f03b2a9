import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RpcError } from '@mmm/protocol';
import { Liveness } from '../../../../packages/host/src/supervise/liveness.ts';
import { supervisionPolicyOf } from '../../../../packages/host/src/supervise/policy.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { FakeSession, manifestOf } from '../../../support/fake-session.ts';

const policy = supervisionPolicyOf(manifestOf([])).liveness;
const { pingAfterMs, degradedAfterMs, unresponsiveAfterMs } = policy;

function make(features: readonly string[] = ['ping']) {
  const clock = new FakeClock();
  const session = new FakeSession({ features });
  const found: string[] = [];
  const liveness = new Liveness({ session, policy, clock, report: (finding) => found.push(finding) });
  const hear = (): void => {
    session.lastMessageAtMs = clock.monotonic();
  };
  return { clock, session, found, liveness, hear, pings: () => session.calls.length };
}

test('A plugin without the feature is never asked', async () => {
  const { clock, session, liveness, pings } = make([]);
  session.inFlight = 1;
  liveness.watch();
  await clock.advance(60_000);
  assert.equal(pings(), 0);
});

test('An idle plugin is not asked and costs no timer', async () => {
  const { clock, liveness, pings } = make();
  liveness.watch();
  await clock.advance(60_000);
  assert.equal(pings(), 0);
  assert.equal(clock.waiting, 0);
});

test('Silence before the call does not count', async () => {
  const { clock, session, liveness, pings } = make();
  await clock.advance(3_600_000);
  session.inFlight = 1;
  liveness.watch();
  await clock.advance(pingAfterMs - 1);
  assert.equal(pings(), 0);
  await clock.advance(1);
  assert.equal(pings(), 1);
});

test('A plugin that says anything is not asked', async () => {
  const { clock, session, liveness, hear, pings } = make();
  session.inFlight = 1;
  liveness.watch();
  for (let turn = 0; turn < 20; turn++) {
    await clock.advance(2_000);
    hear();
  }
  assert.equal(pings(), 0);
});

test('Any answer to a ping means alive, an error included', async () => {
  const { clock, session, found, liveness, pings } = make();
  session.inFlight = 1;
  liveness.watch();
  await clock.advance(pingAfterMs);
  session.calls[0]?.fail(RpcError.of('MethodNotFound', 'no'));
  await clock.advance(pingAfterMs);
  assert.equal(pings(), 2);
  session.calls[1]?.answer({});
  await clock.advance(degradedAfterMs - 1);
  assert.deepEqual(found, []);
});

test('No answer degrades, anything heard later heals, and long silence is reported once', async () => {
  const { clock, session, found, liveness, hear } = make();
  session.inFlight = 1;
  liveness.watch();
  await clock.advance(pingAfterMs + degradedAfterMs);
  assert.deepEqual(found, ['unresponsive']);
  hear();
  await clock.advance(degradedAfterMs);
  assert.deepEqual(found, ['unresponsive', 'responsive']);
  await clock.advance(pingAfterMs + unresponsiveAfterMs);
  assert.deepEqual(found, ['unresponsive', 'responsive', 'unresponsive', 'hung']);
  await clock.advance(600_000);
  assert.equal(found.length, 4);
  assert.equal(clock.waiting, 0);
});

test('Nothing counts as silence while the host itself does not read', async () => {
  const { clock, session, found, liveness, pings } = make();
  session.inFlight = 1;
  session.paused = true;
  liveness.watch();
  await clock.advance(120_000);
  assert.equal(pings(), 0);
  assert.deepEqual(found, []);
  session.paused = false;
  await clock.advance(2 * pingAfterMs);
  assert.equal(pings(), 1);
});

test('After its end nothing is asked or reported', async () => {
  const { clock, session, found, liveness } = make();
  session.inFlight = 1;
  liveness.watch();
  await clock.advance(pingAfterMs);
  liveness.end();
  liveness.watch();
  session.calls[0]?.answer({});
  await clock.advance(600_000);
  assert.deepEqual(found, []);
  assert.equal(clock.waiting, 0);
});

test('Silence under a debugger means nothing, and counts anew from its end', async () => {
  const { clock, session, found, liveness } = make();
  session.inFlight = 1;
  session.debugged = true;
  liveness.watch();
  await clock.advance(3_600_000);
  assert.deepEqual(found, []);
  session.debugged = false;
  await clock.advance(unresponsiveAfterMs - degradedAfterMs - 1);
  assert.deepEqual(found, ['unresponsive']);
  await clock.advance(degradedAfterMs + 1);
  assert.deepEqual(found, ['unresponsive', 'hung']);
});
