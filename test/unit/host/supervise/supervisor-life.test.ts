import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ExitReason, MmmError } from '@mmm/protocol';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import type { CrashMemory } from '../../../../packages/host/src/store/crash-memory.ts';
import type { CrashRecord } from '../../../../packages/host/src/store/store.ts';
import { type SupervisionPolicy, supervisionPolicyOf } from '../../../../packages/host/src/supervise/policy.ts';
import type { Spare } from '../../../../packages/host/src/supervise/spares.ts';
import { Supervisor, type SupervisorOptions } from '../../../../packages/host/src/supervise/supervisor.ts';
import { FakeClock, settled } from '../../../support/fake-clock.ts';
import { FakeSession, manifestOf } from '../../../support/fake-session.ts';

const crash: ExitReason = { kind: 'signal', signal: 'SIGSEGV', stderrTail: '' };

function make(policy: Partial<SupervisionPolicy> = {}, more: Partial<SupervisorOptions> = {}) {
  const clock = new FakeClock();
  const launched: FakeSession[] = [];
  const spares: FakeSession[] = [];
  const dropped: string[] = [];
  const exits: ExitReason[] = [];
  const supervisor = new Supervisor({
    plugin: 'p',
    policy: { ...supervisionPolicyOf(manifestOf([])), ...policy },
    clock,
    random: () => 0.5,
    launch: async (signal, takeSpare) => {
      const spare = await takeSpare(signal);
      if (spare !== undefined) return spare;
      const session = new FakeSession();
      launched.push(session);
      return session;
    },
    prepare: () => {
      const session = new FakeSession();
      spares.push(session);
      const spare: Spare = {
        ended: session.exited.then(() => undefined),
        take: () => Promise.resolve(session),
        drop: async (reason) => {
          dropped.push(reason);
          await session.stop(reason);
        },
      };
      return Promise.resolve(spare);
    },
    onExit: (reason) => exits.push(reason),
    ...more,
  });
  return { supervisor, clock, launched, spares, dropped, exits };
}

test('A plugin nobody calls is stopped after its idle time, and the next call starts it', async () => {
  const { supervisor, clock, launched } = make();
  await supervisor.session();
  await clock.advance(299_999);
  assert.equal(supervisor.state.kind, 'running');
  await clock.advance(1);
  assert.deepEqual(launched[0]?.stops, ['it was not called for 300 s']);
  assert.equal(supervisor.state.kind, 'stopped');
  await supervisor.session();
  assert.equal(launched.length, 2);
});

test('A call under way keeps a plugin running; its idle time begins with its end', async () => {
  const { supervisor, clock, launched } = make();
  await supervisor.session();
  const session = launched[0] as FakeSession;
  session.inFlight = 1;
  await clock.advance(3_600_000);
  session.inFlight = 0;
  supervisor.used();
  await clock.advance(299_999);
  assert.equal(supervisor.state.kind, 'running');
  await clock.advance(1);
  assert.equal(supervisor.state.kind, 'stopped');
});

test('A plugin that others count on is not idle', async () => {
  let needed = true;
  const { supervisor, clock } = make({}, { isNeeded: () => needed });
  await supervisor.session();
  await clock.advance(3_600_000);
  assert.equal(supervisor.state.kind, 'running');
  needed = false;
  await clock.advance(300_000);
  assert.equal(supervisor.state.kind, 'stopped');
});

test('A crash with a spare ready is followed by it, with no launch', async () => {
  const { supervisor, clock, launched, spares } = make({ standby: 'initialized' });
  await supervisor.session();
  await clock.advance(hostLimits.standbyAfterMs);
  assert.equal(spares.length, 1);
  launched[0]?.end(crash);
  await settled();
  assert.equal(await supervisor.session(), spares[0]);
  assert.equal(launched.length, 1);
  await clock.advance(hostLimits.standbyAfterMs * 2 - 1);
  assert.equal(spares.length, 1, 'the next one comes later after a crash');
  await clock.advance(1);
  assert.equal(spares.length, 2);
});

test('The first call takes a spare, and an idle stop leaves it for the next one', async () => {
  const { supervisor, clock, launched, spares, dropped } = make({ standby: 'loaded', idleStopMs: 10_000 });
  await clock.advance(hostLimits.standbyAfterMs);
  assert.equal(await supervisor.session(), spares[0]);
  await clock.advance(10_000);
  assert.equal(supervisor.state.kind, 'stopped');
  assert.equal(spares.length, 2);
  assert.deepEqual(dropped, []);
  assert.equal(await supervisor.session(), spares[1]);
  assert.equal(launched.length, 0);
});

test('A stop, a quarantine and a change of circumstances end the spare', async () => {
  const stopped = make({ standby: 'initialized' });
  await stopped.clock.advance(hostLimits.standbyAfterMs);
  await stopped.supervisor.stop('disabled');
  assert.deepEqual(stopped.dropped, ['disabled']);

  const { supervisor, clock, launched, dropped, spares } = make({
    standby: 'initialized',
    restart: { ...supervisionPolicyOf(manifestOf([])).restart, crashesMax: 1 },
  });
  await supervisor.session();
  await clock.advance(hostLimits.standbyAfterMs);
  await supervisor.dropSpares('its configuration changed');
  assert.deepEqual(dropped, ['its configuration changed']);
  await clock.advance(hostLimits.standbyAfterMs);
  assert.equal(spares.length, 2, 'it runs on and gets another one');
  launched[0]?.end(crash);
  await settled();
  assert.equal(supervisor.state.kind, 'quarantined');
  assert.equal(dropped.length, 2);
  await clock.advance(3_600_000);
  assert.equal(spares.length, 2);
});

test('Nothing is kept ready without standby', async () => {
  const { supervisor, clock, spares } = make();
  await supervisor.session();
  await clock.advance(60_000);
  assert.equal(spares.length, 0);
});

test('A call between the end of the pipe and the end of the process waits for the next session', async () => {
  const { supervisor, clock, launched } = make();
  await supervisor.session();
  launched[0]?.closePipe();
  const next = supervisor.session();
  await settled();
  assert.equal(launched.length, 1);
  launched[0]?.end(crash);
  await clock.advance(0);
  assert.equal(await next, launched[1]);
});

test('One that ends each time before it can be called is not started without end', async () => {
  const { supervisor } = make(
    {},
    {
      launch: () => {
        const session = new FakeSession();
        session.end({ kind: 'clean', stderrTail: '' });
        return Promise.resolve(session);
      },
    },
  );
  await assert.rejects(supervisor.session(), (error) => MmmError.is(error, 'PLUGIN_EXITED'));
  assert.equal(supervisor.state.kind, 'failed');
});

test('A launch that failed after a process was started is told as an end', async () => {
  const timeout = new MmmError('START_TIMEOUT', 'late', { plugin: 'p', timeoutMs: 9, stderrTail: 'x' });
  const { supervisor, exits } = make({}, { launch: () => Promise.reject(timeout) });
  await assert.rejects(supervisor.session(), /late/);
  assert.deepEqual(exits, [{ kind: 'start_timeout', timeoutMs: 9, stderrTail: 'x' }]);
});

test('What is remembered decides how it begins, and another process may lift a quarantine', async () => {
  let record: CrashRecord | undefined;
  const memory: CrashMemory = {
    read: () => record,
    write: (next) => {
      record = next;
    },
  };
  const restart = { ...supervisionPolicyOf(manifestOf([])).restart, crashesMax: 1 };
  const first = make({ restart }, { memory });
  await first.supervisor.session();
  first.launched[0]?.end(crash);
  await settled();
  assert.equal(record?.state, 'quarantined');

  const second = make({ restart }, { memory });
  await assert.rejects(second.supervisor.session(), /quarantined/);
  record = undefined;
  await second.supervisor.session();
  assert.equal(second.launched.length, 1);

  first.supervisor.reset();
  assert.equal(record, undefined);
});

test('The end of a host does not end a backoff', async () => {
  let record: CrashRecord | undefined;
  const memory: CrashMemory = {
    read: () => record,
    write: (next) => {
      record = next;
    },
  };
  const { supervisor, clock, launched } = make({}, { memory });
  for (const _ of [1, 2]) {
    await supervisor.session();
    launched.at(-1)?.end(crash);
    await settled();
  }
  await supervisor.close('closing');
  assert.deepEqual([record?.state, record?.untilMs], ['backoff', clock.now() + 125]);
});
