import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExitReason, MmmError, RpcError } from '@mmm/protocol';
import { CallFailed } from '@mmm/rpc';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { supervisionPolicyOf } from '../../../../packages/host/src/supervise/policy.ts';
import type { Blueprint, ReplaceOptions } from '../../../../packages/host/src/supervise/replacement.ts';
import { Supervisor } from '../../../../packages/host/src/supervise/supervisor.ts';
import { FakeClock, settled } from '../../../support/fake-clock.ts';
import { type FakeCall, FakeSession, manifestOf } from '../../../support/fake-session.ts';

const crash: ExitReason = { kind: 'exit', code: 3, stderrTail: '' };
const policy = supervisionPolicyOf(manifestOf([]));
const reload: ReplaceOptions = { reason: 'reloaded', exclusive: false, start: false };
const brokenLaunch = new MmmError('LAUNCH_FAILED', 'It did not start.', {
  plugin: 'p',
  stage: 'spawn',
  reason: 'no',
  stderrTail: '',
});

/** One launch of a version, open until the test settles it. */
interface Launch {
  readonly signal: AbortSignal;
  succeed(): FakeSession;
  fail(error: unknown): void;
}

/** A version whose launches the test settles. Its sessions answer pings unless `silent`. */
function version(silent = false): Blueprint & { readonly launches: Launch[]; readonly sessions: FakeSession[] } {
  const launches: Launch[] = [];
  const sessions: FakeSession[] = [];
  const answer = (call: FakeCall): void => {
    if (call.method === 'ping' && !silent) queueMicrotask(() => call.fail(RpcError.of('MethodNotFound', 'no ping')));
  };
  const launch: Blueprint['launch'] = (signal) =>
    new Promise((resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason));
      launches.push({
        signal,
        fail: reject,
        succeed: () => {
          const session = new FakeSession({ answer });
          sessions.push(session);
          resolve(session);
          return session;
        },
      });
    });
  return { policy, launch, launches, sessions };
}

async function make() {
  const clock = new FakeClock();
  const old = version();
  const next = version();
  const exits: [string, boolean][] = [];
  const supervisor = new Supervisor({
    plugin: 'p',
    ...old,
    clock,
    random: () => 0.5,
    onExit: ({ kind }, inUse) => exits.push([kind, inUse]),
  });
  const first = supervisor.session();
  const running = at(old.launches, 0).succeed();
  assert.equal(await first, running);
  return { supervisor, clock, old, next, running, exits };
}
function at<T>(list: readonly T[], index: number): T {
  const found = list[index];
  assert.ok(found !== undefined, `there is no ${index}`);
  return found;
}
const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => assert.fail('it resolved'),
    (error: unknown) => error,
  );
/** Its call stays open. */
function callOn(session: FakeSession): FakeCall {
  void session.connection.call({ name: 'execute' } as never, {} as never).catch(() => undefined);
  return at(session.calls, session.calls.length - 1);
}

test('A candidate is called only after it answered and lived on for a moment; until then the old one is', async () => {
  const { supervisor, clock, next, running } = await make();
  const replaced = supervisor.replace(next, reload);
  await settled();
  assert.equal(await supervisor.session(), running);
  const candidate = at(next.launches, 0).succeed();
  await settled();
  assert.equal(await supervisor.session(), running);
  await clock.advance(hostLimits.reloadSettleMs - 1);
  assert.equal(await supervisor.session(), running);
  await clock.advance(1);
  assert.equal(await replaced, 'switched');
  assert.equal(await supervisor.session(), candidate);
});

test('The old one keeps its calls, and is stopped when the last of them has ended', async () => {
  const { supervisor, clock, next, running, exits } = await make();
  const call = callOn(running);
  const replaced = supervisor.replace(next, reload);
  await settled();
  at(next.launches, 0).succeed();
  await settled();
  await clock.advance(hostLimits.reloadSettleMs);
  await replaced;
  await clock.advance(10_000);
  assert.deepEqual(running.stops, []);
  assert.deepEqual(supervisor.retired, [running]);
  call.answer({});
  await clock.advance(hostLimits.drainPollMs);
  assert.deepEqual(running.stops, ['reloaded']);
  await settled();
  assert.deepEqual(exits, [['requested', false]]);
  assert.equal(supervisor.state.kind, 'running');
});

test('An old one whose calls do not end is stopped at its deadline', async () => {
  const { supervisor, clock, next, running } = await make();
  callOn(running);
  const replaced = supervisor.replace(next, reload);
  await settled();
  at(next.launches, 0).succeed();
  await settled();
  await clock.advance(hostLimits.reloadSettleMs);
  await replaced;
  await clock.advance(hostLimits.reloadDrainMs - hostLimits.drainPollMs);
  assert.deepEqual(running.stops, []);
  await clock.advance(hostLimits.drainPollMs);
  assert.deepEqual(running.stops, ['reloaded']);
});

test('A candidate that does not start, dies at once or is silent leaves the old one where it is', async () => {
  const { supervisor, clock, old, next, running } = await make();
  const unlaunched = rejection(supervisor.replace(next, reload));
  await settled();
  at(next.launches, 0).fail(brokenLaunch);
  assert.equal(await unlaunched, brokenLaunch);

  const dying = rejection(supervisor.replace(next, reload));
  await settled();
  const candidate = at(next.launches, 1).succeed();
  await settled();
  await clock.advance(hostLimits.reloadSettleMs - 1);
  candidate.end(crash);
  assert.ok(MmmError.is(await dying, 'PLUGIN_EXITED'));

  const silent = version(true);
  const hanging = rejection(supervisor.replace(silent, reload));
  await settled();
  const mute = at(silent.launches, 0).succeed();
  await settled();
  at(mute.calls, 0).fail(new CallFailed('timeout', 'silence'));
  assert.ok((await hanging) instanceof Error);
  await settled();
  assert.deepEqual(mute.stops, ['it is not used']);

  assert.equal(await supervisor.session(), running);
  running.end(crash);
  await settled();
  const again = supervisor.session();
  await settled();
  assert.equal(old.launches.length, 2, 'it is the old version that is started again');
  const restarted = at(old.launches, 1).succeed();
  assert.equal(await again, restarted);
});

test('A crash of the old one while its candidate starts is mended by whichever is there first', async () => {
  const { supervisor, clock, old, next, running } = await make();
  const replaced = supervisor.replace(next, reload);
  await settled();
  running.end(crash);
  await settled();
  const waiting = supervisor.session();
  await settled();
  assert.equal(old.launches.length, 2);
  const candidate = at(next.launches, 0).succeed();
  await settled();
  await clock.advance(hostLimits.reloadSettleMs);
  assert.equal(await replaced, 'switched');
  assert.equal(await waiting, candidate);
  assert.ok(at(old.launches, 1).signal.aborted);
  await settled();
  assert.equal(await supervisor.session(), candidate);
});

test('An exclusive plugin is stopped first, its calls drained, and who calls meanwhile gets the next one', async () => {
  const { supervisor, clock, next, running } = await make();
  const call = callOn(running);
  const replaced = supervisor.replace(next, { ...reload, exclusive: true });
  await settled();
  assert.equal(supervisor.state.kind, 'draining');
  const waiting = supervisor.session();
  await clock.advance(10_000);
  assert.equal(next.launches.length, 0, 'no second process beside the old one');
  call.answer({});
  await clock.advance(hostLimits.drainPollMs);
  await settled();
  assert.deepEqual(running.stops, ['reloaded']);
  const candidate = at(next.launches, 0).succeed();
  assert.equal(await replaced, 'switched');
  assert.equal(await waiting, candidate);
});

test('An exclusive plugin whose next version fails comes back as it was, for those who waited as well', async () => {
  const { supervisor, old, next } = await make();
  const replaced = rejection(supervisor.replace(next, { ...reload, exclusive: true }));
  await settled();
  const waiting = supervisor.session();
  at(next.launches, 0).fail(brokenLaunch);
  assert.equal(await replaced, brokenLaunch);
  await settled();
  const back = at(old.launches, 1).succeed();
  assert.equal(await waiting, back);
});

test('A stopped plugin stays stopped, and its next start is of the new version', async () => {
  const { supervisor, next } = await make();
  await supervisor.stop('asked');
  assert.equal(await supervisor.replace(next, reload), 'stopped');
  assert.equal(next.launches.length, 0);
  const session = supervisor.session();
  const started = at(next.launches, 0).succeed();
  assert.equal(await session, started);
});

test('A plugin in quarantine is tried at once when a restart is asked for, and stays there when it fails', async () => {
  const { supervisor, clock, old, next } = await make();
  for (let crashes = 0; crashes < policy.restart.crashesMax; crashes += 1) {
    at(old.sessions, crashes).end(crash);
    await settled();
    const again = supervisor.session().catch(() => undefined);
    await clock.advance(30_000);
    if (crashes < policy.restart.crashesMax - 1) at(old.launches, crashes + 1).succeed();
    await again;
  }
  const kind = (): string => supervisor.state.kind;
  assert.equal(kind(), 'quarantined');
  assert.equal(await supervisor.replace(next, reload), 'stopped');
  assert.equal(kind(), 'quarantined', 'an update alone starts nothing');
  const failing = rejection(supervisor.replace(next, { ...reload, start: true }));
  await settled();
  assert.equal(kind(), 'probing');
  at(next.launches, 0).fail(brokenLaunch);
  assert.ok(MmmError.is(await failing, 'PLUGIN_UNAVAILABLE'));
  assert.equal(kind(), 'quarantined');
  const tried = supervisor.replace(next, { ...reload, start: true });
  await settled();
  at(next.launches, 1).succeed();
  assert.equal(await tried, 'started');
});

test('A stop during a reload waits for the end of the candidate; the next start is of the new version', async () => {
  for (const exclusive of [false, true]) {
    const { supervisor, next, running } = await make();
    const replaced = supervisor.replace(next, { ...reload, exclusive });
    await settled();
    await supervisor.stop('asked');
    assert.equal(await replaced, 'stopped');
    assert.ok(at(next.launches, 0).signal.aborted);
    assert.equal(running.stops.length, 1);
    assert.equal(supervisor.state.kind, 'stopped');
    const session = supervisor.session();
    const started = at(next.launches, 1).succeed();
    assert.equal(await session, started);
  }
});

test('A stop while an exclusive plugin still drains for its reload launches nothing', async () => {
  const { supervisor, clock, next, running } = await make();
  callOn(running);
  const replaced = supervisor.replace(next, { ...reload, exclusive: true });
  await settled();
  const stopped = supervisor.stop('asked');
  assert.equal(await replaced, 'stopped');
  await clock.advance(hostLimits.reloadDrainMs);
  await stopped;
  assert.equal(next.launches.length, 0);
});

test('A replacement during a start waits for what becomes of it', async () => {
  const { supervisor, clock, old, next } = await make();
  await supervisor.stop('asked');
  const starting = supervisor.session();
  const replaced = supervisor.replace(next, reload);
  await settled();
  assert.equal(next.launches.length, 0);
  const started = at(old.launches, 1).succeed();
  assert.equal(await starting, started);
  await settled();
  at(next.launches, 0).succeed();
  await settled();
  await clock.advance(hostLimits.reloadSettleMs);
  assert.equal(await replaced, 'switched');
});

test('The end of the host ends the candidate, the old one and what still drains', async () => {
  const { supervisor, clock, next, running } = await make();
  callOn(running);
  const first = supervisor.replace(next, reload);
  await settled();
  const second = at(next.launches, 0).succeed();
  await settled();
  await clock.advance(hostLimits.reloadSettleMs);
  await first;
  const third = supervisor.replace(next, reload);
  await settled();
  await supervisor.close('the host is closing');
  assert.equal(await third, 'stopped');
  assert.ok(at(next.launches, 1).signal.aborted);
  assert.equal(second.stops.length, 1);
  assert.equal(running.stops.length, 1);
  assert.ok(MmmError.is(await rejection(supervisor.replace(next, reload)), 'HOST_CLOSED'));
});
