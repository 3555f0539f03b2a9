import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExitReason, MmmError } from '@mmm/protocol';
import type { Session } from '../../../../packages/host/src/handshake/session.ts';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import {
  type RestartPolicy,
  type SupervisionPolicy,
  supervisionPolicyOf,
} from '../../../../packages/host/src/supervise/policy.ts';
import { Supervisor, type SupervisorOptions } from '../../../../packages/host/src/supervise/supervisor.ts';
import { FakeClock, settled } from '../../../support/fake-clock.ts';
import { FakeSession, manifestOf } from '../../../support/fake-session.ts';

const crash: ExitReason = { kind: 'signal', signal: 'SIGKILL', stderrTail: 'out of cheese\n' };
const launchError = new MmmError('LAUNCH_FAILED', 'It did not start.', {
  plugin: 'p',
  stage: 'spawn',
  reason: 'no',
  stderrTail: '',
});

/** Launches are open until the test settles them with `next`, or settle at once with `auto`. */
interface MakeOptions extends Partial<Omit<SupervisorOptions, 'policy'>> {
  readonly policy?: Partial<RestartPolicy>;
  readonly supervision?: Partial<SupervisionPolicy>;
  readonly auto?: boolean;
}
function make(options: MakeOptions = {}) {
  const clock = new FakeClock();
  const open: { resolve(session: Session): void; reject(error: unknown): void; signal: AbortSignal }[] = [];
  const sessions: FakeSession[] = [];
  let launches = 0;
  const { policy, supervision, auto, ...more } = options;
  const usual = supervisionPolicyOf(manifestOf([]));
  const supervisor = new Supervisor({
    plugin: 'p',
    policy: {
      ...usual,
      idleStopMs: Number.POSITIVE_INFINITY,
      ...supervision,
      restart: { ...usual.restart, ...policy },
    },
    clock,
    random: () => 0.5,
    launch: (signal) => {
      launches += 1;
      if (auto !== false) {
        const session = new FakeSession();
        sessions.push(session);
        return Promise.resolve(session);
      }
      return new Promise((resolve, reject) => {
        open.push({ resolve, reject, signal });
        signal.addEventListener('abort', () => reject(signal.reason));
      });
    },
    ...more,
  });
  const last = (): FakeSession => {
    const session = sessions.at(-1);
    assert.ok(session !== undefined);
    return session;
  };
  return { supervisor, clock, open, sessions, last, launches: () => launches };
}
const rejection = (promise: Promise<unknown>): Promise<unknown> =>
  promise.then(
    () => assert.fail('it resolved'),
    (error: unknown) => error,
  );
/** Crashes a running plugin `times` times in a row, each time after a new call. */
async function crashTimes({ supervisor, clock, last }: ReturnType<typeof make>, times: number): Promise<void> {
  for (let time = 0; time < times; time++) {
    const session = supervisor.session();
    await clock.advance(5_000);
    await session;
    last().end(crash);
    await settled();
  }
}

test('Nothing is launched before the first call, and callers share one launch', async () => {
  const { supervisor, launches } = make();
  assert.equal(supervisor.state.kind, 'stopped');
  assert.equal(launches(), 0);
  const [first, second] = await Promise.all([supervisor.session(), supervisor.session()]);
  assert.equal(first, second);
  assert.equal(launches(), 1);
  assert.equal(await supervisor.session(), first);
});

test('A failed first launch rejects everybody with its own error, and the next call tries once more', async () => {
  const { supervisor, open, launches } = make({ auto: false });
  const waiting = [rejection(supervisor.session()), rejection(supervisor.session())];
  open[0]?.reject(launchError);
  assert.deepEqual(await Promise.all(waiting), [launchError, launchError]);
  assert.equal(supervisor.state.kind, 'failed');
  const again = supervisor.session();
  assert.equal(launches(), 2);
  const session = new FakeSession();
  open[1]?.resolve(session);
  assert.equal(await again, session);
});

test('A launch that fails with something else than an MmmError is an internal error', async () => {
  const { supervisor } = make({
    launch: () => {
      throw new TypeError('boom');
    },
  });
  assert.ok(MmmError.is(await rejection(supervisor.session()), 'INTERNAL'));
});

test('After a crash the next call is answered by a new session at once', async () => {
  const made = make();
  const before = await made.supervisor.session();
  made.last().end(crash);
  await settled();
  assert.equal(made.supervisor.state.kind, 'backoff');
  assert.equal(made.launches(), 1, 'nobody waits for it');
  const after = await made.supervisor.session();
  assert.notEqual(after, before);
  assert.equal(made.clock.monotonic(), 0);
});

test('A call during backoff waits for the restart, or fails at once when it wants that', async () => {
  const made = make();
  await crashTimes(made, 2);
  const { supervisor, clock, launches } = made;
  const error = await rejection(supervisor.session({ failFast: true }));
  assert.ok(MmmError.is(error, 'PLUGIN_UNAVAILABLE'));
  assert.equal(error.data.state, 'backoff');
  assert.match(error.message, /SIGKILL[\s\S]*out of cheese/);
  const waiting = supervisor.session();
  await clock.advance(124);
  assert.equal(launches(), 2);
  await clock.advance(1);
  await waiting;
  assert.equal(launches(), 3);
});

test('Five crashes quarantine; calls are refused until one trial after five minutes', async () => {
  const made = make();
  await crashTimes(made, 5);
  const { supervisor, clock, launches, last } = made;
  assert.equal(supervisor.state.kind, 'quarantined');
  const error = await rejection(supervisor.session());
  assert.ok(MmmError.is(error, 'PLUGIN_UNAVAILABLE') && error.data.state === 'quarantined');
  assert.equal(error.data.untilMs, clock.now() + hostLimits.quarantineMs);
  await clock.advance(hostLimits.quarantineMs);
  assert.equal(launches(), 5, 'nobody wants it');
  await supervisor.session();
  assert.equal(launches(), 6);
  last().end(crash);
  await settled();
  assert.equal(supervisor.state.kind, 'quarantined');
  supervisor.reset();
  await supervisor.session();
});

test('An important plugin restarts by itself', async () => {
  const made = make({ policy: { important: true } });
  await made.supervisor.session();
  made.last().end(crash);
  await made.clock.advance(0);
  assert.equal(made.supervisor.state.kind, 'running');
  assert.equal(made.launches(), 2);
});

test('A waiter settles on its own deadline and on its own signal, and leaves the others waiting', async () => {
  const { supervisor, clock, open } = make({ auto: false });
  const abort = new AbortController();
  const patient = supervisor.session();
  const late = rejection(supervisor.session({ deadlineMs: 50 }));
  const aborted = rejection(supervisor.session({ signal: abort.signal }));
  abort.abort('enough');
  assert.equal(await aborted, 'enough');
  await clock.advance(50);
  const error = await late;
  assert.ok(MmmError.is(error, 'PLUGIN_UNAVAILABLE') && error.data.state === 'starting');
  assert.equal(await rejection(supervisor.session({ signal: abort.signal })), 'enough');
  open[0]?.resolve(new FakeSession());
  await patient;
  assert.equal(clock.waiting, 0);
});

test('A stop during a launch aborts it and settles those who wait', async () => {
  const { supervisor, open } = make({ auto: false });
  const waiting = rejection(supervisor.session());
  const stopped = supervisor.stop('enough');
  assert.ok(open[0]?.signal.aborted);
  await stopped;
  assert.deepEqual(supervisor.state, { kind: 'stopped', reason: 'enough', crashes: [] });
  assert.ok(MmmError.is(await waiting, 'PLUGIN_UNAVAILABLE'));
});

test('A call during a stop gets the session after it', async () => {
  const { supervisor, last, sessions } = make();
  await supervisor.session();
  last().stopsAtOnce = false;
  const stopped = supervisor.stop('restart');
  const next = supervisor.session();
  assert.equal(sessions.length, 1, 'one session at a time');
  last().end({ kind: 'requested' });
  await stopped;
  assert.equal(await next, sessions[1]);
});

test('A stop lets calls in flight end, but not for long', async () => {
  for (const ends of [true, false]) {
    const { supervisor, last, clock } = make();
    await supervisor.session();
    last().inFlight = 1;
    const stopped = supervisor.stop('update');
    assert.equal(supervisor.state.kind, 'draining');
    await clock.advance(500);
    assert.deepEqual(last().stops, []);
    if (ends) last().inFlight = 0;
    await clock.advance(ends ? hostLimits.drainPollMs : 500);
    assert.deepEqual(last().stops, ['update']);
    await stopped;
  }
});

test('A session whose stop fails is killed', async () => {
  const { supervisor, last } = make();
  await supervisor.session();
  last().stop = () => Promise.reject(new Error('no'));
  await supervisor.stop('bye');
  assert.equal(last().kills.length, 1);
});

test('After close nothing starts it again', async () => {
  const made = make();
  await crashTimes(made, 2);
  const waiting = rejection(made.supervisor.session());
  await made.supervisor.close('the host closes');
  assert.ok(MmmError.is(await waiting, 'HOST_CLOSED'));
  assert.ok(MmmError.is(await rejection(made.supervisor.session()), 'HOST_CLOSED'));
  await made.clock.advance(60_000);
  assert.equal(made.launches(), 2);
});

test('Observers are told of everything once, and their failures change nothing', async () => {
  const seen: string[] = [];
  const note = (line: string): never => {
    seen.push(line);
    throw new Error('an observer failed');
  };
  const { supervisor, last } = make({
    onChange: ({ kind }) => note(kind),
    onLaunched: ({ pid }) => note(`launched ${pid}`),
    onExit: ({ kind }) => note(`exit ${kind}`),
  });
  await supervisor.session();
  last().end(crash);
  await settled();
  assert.deepEqual(seen, ['starting', 'launched 4711', 'running', 'exit signal', 'backoff']);
});

test('A call made while a change is told does not get lost', async () => {
  let nested: Promise<Session> | undefined;
  const { supervisor } = make({
    onChange: ({ kind }) => {
      if (kind === 'stopped') nested ??= supervisor.session();
    },
  });
  await supervisor.session();
  await supervisor.stop('bye');
  assert.ok(nested !== undefined);
  await nested;
  assert.equal(supervisor.state.kind, 'running');
});

test('The number of waiters is bounded', async () => {
  const { supervisor } = make({ auto: false });
  const waiting = Array.from({ length: hostLimits.sessionWaiters }, () => rejection(supervisor.session()));
  assert.ok(MmmError.is(await rejection(supervisor.session()), 'BUSY'));
  await supervisor.stop('bye');
  await Promise.all(waiting);
});

test('Readers of changes get each state from the moment they ask, until they stop', async () => {
  const { supervisor } = make();
  const abort = new AbortController();
  const changes = supervisor.changes(abort.signal);
  await supervisor.session();
  await supervisor.stop('bye');
  abort.abort();
  const seen: string[] = [];
  for await (const { kind } of changes) seen.push(kind);
  assert.equal(seen.length, 0);
  const reading = new AbortController();
  const read = (async () => {
    for await (const { kind } of supervisor.changes(reading.signal)) {
      seen.push(kind);
      if (kind === 'stopped') reading.abort();
    }
  })();
  await supervisor.session();
  await supervisor.stop('bye');
  await read;
  assert.deepEqual(seen, ['starting', 'running', 'stopping', 'stopped']);
});

test('A plugin that stays silent during a call is degraded, then restarted', async () => {
  const sessions: FakeSession[] = [];
  const { supervisor, clock } = make({
    launch: () => {
      const session = new FakeSession({ features: ['ping'] });
      sessions.push(session);
      return Promise.resolve(session);
    },
  });
  await supervisor.session();
  const [first] = sessions;
  assert.ok(first !== undefined);
  first.inFlight = 1;
  await clock.advance(hostLimits.pingAfterSilenceMs + hostLimits.degradedAfterMs);
  assert.equal(supervisor.state.kind, 'degraded');
  assert.equal(await supervisor.session(), first, 'the deadlines of its calls decide');
  await clock.advance(hostLimits.unresponsiveAfterMs - hostLimits.degradedAfterMs);
  assert.equal(first.kills[0]?.kind, 'unresponsive');
  assert.equal(supervisor.state.kind, 'backoff');
  await supervisor.session();
  assert.equal(sessions.length, 2);
});
