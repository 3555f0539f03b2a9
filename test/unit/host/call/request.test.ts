import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmmError, pluginMethods, RpcError } from '@mmm/protocol';
import { CallQueue } from '../../../../packages/host/src/call/queue.ts';
import { type RequestOptions, request } from '../../../../packages/host/src/call/request.ts';
import type { SessionWait } from '../../../../packages/host/src/supervise/waiters.ts';
import { FakeClock, settled } from '../../../support/fake-clock.ts';
import { FakeSession } from '../../../support/fake-session.ts';

const params = { id: 'm1', source: 'a', target: 'p', kind: 'query', payload: 1, metadata: {} } as const;

function make({ concurrency = 64, runs = true }: { concurrency?: number; runs?: boolean } = {}) {
  const clock = new FakeClock();
  const session = new FakeSession();
  const waits: SessionWait[] = [];
  const queue = new CallQueue({ plugin: 'p', concurrency });
  const services = {
    plugin: 'p',
    session: (wait: SessionWait) => {
      waits.push(wait);
      return Promise.resolve(session);
    },
    running: () => (runs ? session : undefined),
    queue,
    clock,
  };
  const ask = (options: Partial<RequestOptions> = {}) =>
    request(pluginMethods.handle_message, params, { timeoutMs: 1000, ...options }, services);
  return { clock, session, waits, queue, ask };
}

test('A request starts the plugin, takes a place among its calls and answers what the plugin answers', async () => {
  const { session, waits, queue, ask } = make();
  const answer = ask();
  await settled();
  assert.equal(queue.active, 1);
  assert.deepEqual(waits, [{ deadlineMs: 1000 }]);
  assert.equal(session.calls[0]?.method, 'handle_message');
  session.calls[0]?.answer({ payload: 2 });
  assert.deepEqual(await answer, { payload: 2 });
  assert.equal(queue.active, 0);
});

test('The wait for a place counts against the deadline, and the plugin is not asked afterwards', async () => {
  const { clock, session, ask, queue } = make({ concurrency: 1 });
  assert.ok(queue.tryEnter(undefined));
  const rejected = assert.rejects(
    ask({ timeoutMs: 50 }),
    (error) => MmmError.is(error, 'CALL_TIMEOUT') && /no place free/.test(error.message),
  );
  await settled();
  await clock.advance(51);
  await rejected;
  queue.leave();
  await settled();
  assert.equal(session.calls.length, 0);
  assert.equal(queue.active, 0);
});

test('A request that only waits takes no place', async () => {
  const { session, queue, ask } = make({ concurrency: 1 });
  assert.ok(queue.tryEnter(undefined));
  const answer = ask({ takesPlace: false });
  await settled();
  session.calls[0]?.answer({ payload: null });
  await answer;
  assert.equal(queue.active, 1);
});

test('A request that must not start anything fails at once when nothing runs', async () => {
  const { waits, ask } = make({ runs: false });
  await assert.rejects(ask({ start: false }), (error) => MmmError.is(error, 'PLUGIN_UNAVAILABLE'));
  assert.equal(waits.length, 0);
});

test('An answered error keeps its number and names the method', async () => {
  const { session, ask } = make();
  const answer = ask();
  await settled();
  session.calls[0]?.fail(RpcError.of('UnsupportedMessage', 'not me'));
  await assert.rejects(
    answer,
    (error) =>
      MmmError.is(error, 'CALL_REJECTED') && error.data.rpcCode === -32061 && /handle_message/.test(error.message),
  );
});

test('The end of the plugin and the cancellation of the caller settle the request with their cause', async () => {
  const { session, ask } = make();
  const answer = ask();
  await settled();
  session.end({ kind: 'signal', signal: 'SIGKILL', stderrTail: '' });
  await assert.rejects(answer, (error) => MmmError.is(error, 'PLUGIN_EXITED'));

  const other = make();
  const caller = new AbortController();
  const cancelled = other.ask({ signal: caller.signal });
  await settled();
  caller.abort(new Error('enough'));
  await assert.rejects(cancelled, (error) => MmmError.is(error, 'CALL_CANCELLED'));
  assert.equal(other.queue.active, 0);
});
