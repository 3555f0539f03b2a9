import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import {
  type ErrorCode,
  type ExitReason,
  type ManifestInput,
  MmmError,
  type ProgressValue,
  RpcError,
} from '@mmm/protocol';
import { CallFailed } from '@mmm/rpc';
import { complete, type InvokeOptions, invoke } from '../../../../packages/host/src/call/invoke.ts';
import { CallQueue } from '../../../../packages/host/src/call/queue.ts';
import { SchemaValidator } from '../../../../packages/host/src/call/schema.ts';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { compileSchema } from '../../../../packages/host/src/schema/json-schema.ts';
import type { SessionWait } from '../../../../packages/host/src/supervise/waiters.ts';
import { FakeClock, settled } from '../../../support/fake-clock.ts';
import { type FakeCall, FakeSession, manifestOf } from '../../../support/fake-session.ts';

// The validator is loaded with the first schema, which takes longer than a test waits for a call to arrive.
before(() => compileSchema(true, 'input'));

type CapabilityInput = NonNullable<ManifestInput['capabilities']>[number];
const calculate: CapabilityInput = {
  kind: 'tool',
  name: 'calculate',
  input: { type: 'object', properties: { expression: { type: 'string' } }, required: ['expression'] },
  output: { type: 'number' },
};
const input = { expression: '1+1' };
const crash: ExitReason = { kind: 'signal', signal: 'SIGKILL', stderrTail: 'line one\nout of \u001b[31mcheese\n' };

function make(capability: CapabilityInput = calculate, more: { concurrency?: number } = {}) {
  const clock = new FakeClock();
  const manifest = manifestOf([capability], { limits: { message_mb: 2 } });
  const [section] = manifest.capabilities;
  assert.ok(section !== undefined);
  const sessions: FakeSession[] = [];
  const waits: SessionWait[] = [];
  const counted: { ok: boolean; durationMs: number }[] = [];
  const fixed: { session?: (wait: SessionWait) => Promise<FakeSession> } = {};
  const fresh = (): FakeSession => {
    const session = new FakeSession({ manifest });
    sessions.push(session);
    return session;
  };
  const services = {
    session: (wait: SessionWait): Promise<FakeSession> => {
      waits.push(wait);
      if (fixed.session !== undefined) return fixed.session(wait);
      return Promise.resolve(sessions.at(-1) ?? fresh());
    },
    queue: new CallQueue({ plugin: 'p', concurrency: more.concurrency ?? 64, queuedMax: 2 }),
    schemas: new SchemaValidator(),
    bundle: { key: 'bundle', readFile: () => '{}' },
    metrics: { called: (_plugin: string, call: { ok: boolean; durationMs: number }) => void counted.push(call) },
    clock,
  };
  const about = {
    plugin: 'p',
    capability: section,
    context: { caller: { kind: 'cli', id: 'user' } },
    origin: {},
  } as const;
  const call = (options: InvokeOptions = {}, given: unknown = input, endsAtMs?: number) =>
    invoke({ ...about, input: given, options, endsAtMs }, services);
  /** The newest call that reached a plugin. */
  const reached = async (): Promise<FakeCall> => {
    await settled();
    const found = sessions.at(-1)?.calls.at(-1);
    assert.ok(found !== undefined, 'no call reached the plugin');
    return found;
  };
  return { clock, services, sessions, waits, counted, fixed, fresh, call, reached, section };
}
async function rejection<C extends ErrorCode>(promise: Promise<unknown>, code: C): Promise<MmmError<C>> {
  const error: unknown = await promise.then(
    () => assert.fail('it resolved'),
    (reason: unknown) => reason,
  );
  assert.ok(MmmError.is(error, code), String(error));
  return error;
}

test('A call carries capability, input and context, and is counted once', async () => {
  const { call, reached, clock, counted } = make();
  const result = call();
  const { method, params, options, answer } = await reached();
  assert.equal(method, 'execute');
  assert.deepEqual(params, {
    capability: { kind: 'tool', name: 'calculate' },
    input,
    context: {
      caller: { kind: 'cli', id: 'user' },
      timestamp: new Date(clock.now()).toISOString(),
      deadline_ms: 30_000,
    },
  });
  assert.deepEqual([options.timeoutMs, options.timeoutMaxMs], [30_000, 600_000]);
  await clock.advance(40);
  answer({ output: 2 });
  assert.deepEqual(await result, { output: 2, durationMs: 40 });
  assert.deepEqual(counted, [{ ok: true, durationMs: 40, atMs: clock.now() }]);
  assert.equal(clock.waiting, 0);
});

test('An invalid input is refused before the plugin is started or counted', async () => {
  const { call, waits, counted } = make();
  const error = await rejection(call({}, { expression: 7 }), 'INPUT_INVALID');
  assert.match(error.message, /p was not called: .*input\.expression must be string/);
  assert.equal(waits.length, 0);
  assert.equal(counted.length, 0);
});

test("An answer of another shape is the plugin's fault", async () => {
  const { call, reached, counted } = make();
  const result = rejection(call(), 'RESULT_INVALID');
  (await reached()).answer({ output: 'two' });
  assert.deepEqual((await result).data.issues, [{ path: 'output', message: 'must be number' }]);
  assert.equal(counted[0]?.ok, false);
});

test("The caller's own deadline replaces every other one and shrinks while it waits", async () => {
  const { call, reached, clock, fixed, fresh } = make({ ...calculate, timeout_s: 5 });
  fixed.session = async () => {
    await clock.sleep(400);
    return fresh();
  };
  const result = call({ timeoutMs: 1_000 });
  await clock.advance(400);
  const { options, params, answer } = await reached();
  assert.deepEqual([options.timeoutMs, options.timeoutMaxMs], [600, 600]);
  assert.equal((params.context as { deadline_ms: number }).deadline_ms, 600);
  answer({ output: 2 });
  await result;
  assert.equal(clock.waiting, 0);
});

test('A capability may set its own limit, and a long one raises the cap', async () => {
  for (const [seconds, expected] of [
    [5, [5_000, 600_000]],
    [3_600, [3_600_000, 3_600_000]],
  ] as const) {
    const { call, reached } = make({ ...calculate, timeout_s: seconds });
    const result = call();
    const { options, answer } = await reached();
    assert.deepEqual([options.timeoutMs, options.timeoutMaxMs], expected);
    answer({ output: 2 });
    await result;
  }
});

test('A deadline that passes in the queue names the queue, and the call is never sent', async () => {
  const { call, reached, clock, sessions, counted } = make(calculate, { concurrency: 1 });
  const first = call();
  const { answer } = await reached();
  const late = rejection(call({ timeoutMs: 50 }), 'CALL_TIMEOUT');
  await clock.advance(50);
  assert.match((await late).message, /had no place free within 0\.05 s/);
  answer({ output: 2 });
  await first;
  assert.equal(sessions[0]?.calls.length, 1);
  assert.deepEqual(
    counted.map(({ ok }) => ok),
    [false, true],
  );
});

test('A deadline that passes before the plugin runs says what held it up', async () => {
  const { call, clock, fixed } = make();
  fixed.session = async ({ deadlineMs }) => {
    await clock.sleep(deadlineMs ?? 0);
    throw new MmmError('PLUGIN_UNAVAILABLE', 'p cannot be called: it crashed and starts again in 9 s.', {
      plugin: 'p',
      state: 'backoff',
      untilMs: 0,
      cause: 'x',
    });
  };
  const result = rejection(call({ timeoutMs: 50 }), 'CALL_TIMEOUT');
  await clock.advance(50);
  assert.match((await result).message, /was not ready within 0\.05 s.*starts again in 9 s/);
});

test('Why the plugin cannot be had passes through, and is counted', async () => {
  const { call, fixed, counted, waits } = make();
  fixed.session = () => Promise.reject(new MmmError('PLUGIN_DISABLED', 'p is disabled.', { plugin: 'p' }));
  await rejection(call({ failFast: true }), 'PLUGIN_DISABLED');
  assert.equal(waits[0]?.failFast, true);
  assert.equal(counted.length, 1);
});

test('Silence past the limit is CALL_TIMEOUT', async () => {
  const { call, reached } = make();
  const result = rejection(call(), 'CALL_TIMEOUT');
  (await reached()).fail(new CallFailed('timeout', 'no answer'));
  const { data, message } = await result;
  assert.deepEqual(data, { plugin: 'p', method: 'execute', timeoutMs: 30_000 });
  assert.match(message, /did not answer within 30 s \(calculate\)/);
});

test('A cancelled call is CALL_CANCELLED wherever it is', async () => {
  const sent = make();
  const abort = new AbortController();
  const running = rejection(sent.call({ signal: abort.signal }), 'CALL_CANCELLED');
  await sent.reached();
  abort.abort();
  await running;
  await rejection(sent.call({ signal: abort.signal }), 'CALL_CANCELLED');
  assert.equal(sent.sessions[0]?.calls.length, 1);
  const full = make(calculate, { concurrency: 1 });
  const first = full.call();
  const { answer } = await full.reached();
  const again = new AbortController();
  const queued = rejection(full.call({ signal: again.signal, timeoutMs: 5_000 }), 'CALL_CANCELLED');
  await settled();
  again.abort();
  await queued;
  answer({ output: 1 });
  await first;
  assert.equal(full.clock.waiting, 0);
});

test('A refusal by the plugin keeps its number, its data and its words, made safe', async () => {
  const { call, reached } = make();
  const result = rejection(call(), 'CALL_REJECTED');
  (await reached()).fail(
    new RpcError(-32602, 'expected \u001b[2J number', { kind: 'invalid_params', retryable: false }),
  );
  const { data, message } = await result;
  assert.equal(data.rpcCode, -32602);
  assert.deepEqual(data.rpcData, { kind: 'invalid_params', retryable: false });
  assert.match(message, /p refused calculate with InvalidParams: expected \\u\{1b\}\[2J number/);
});

test('Sizes and full queues have errors of their own, whoever noticed', async () => {
  const cases: readonly [error: unknown, code: ErrorCode][] = [
    [new CallFailed('too_large', 'x'), 'MESSAGE_TOO_LARGE'],
    [RpcError.of('MessageTooLarge', 'x'), 'MESSAGE_TOO_LARGE'],
    [new CallFailed('busy', 'x'), 'BUSY'],
    [RpcError.of('Busy', 'x'), 'BUSY'],
    [new CallFailed('invalid_result', 'x', [{ path: 'output', message: 'is required' }]), 'RESULT_INVALID'],
    [new CallFailed('invalid_params', 'x'), 'INPUT_INVALID'],
    [RpcError.of('RequestCancelled', 'x'), 'CALL_REJECTED'],
    [new TypeError('x'), 'INTERNAL'],
  ];
  for (const [error, code] of cases) {
    const { call, reached, counted } = make();
    const result = rejection(call(), code);
    (await reached()).fail(error);
    const { data } = await result;
    if (code === 'MESSAGE_TOO_LARGE') assert.equal((data as { bytesMax: number }).bytesMax, 2 * 1024 * 1024);
    assert.equal(counted.length, 1);
  }
});

test('A full queue is BUSY', async () => {
  const { call, reached, clock } = make(calculate, { concurrency: 1 });
  const abort = new AbortController();
  const { signal } = abort;
  const open = [1, 2, 3].map(() => rejection(call({ signal }), 'CALL_CANCELLED'));
  await reached();
  await rejection(call(), 'BUSY');
  abort.abort();
  await Promise.all(open);
  assert.equal(clock.waiting, 0);
});

test('An exit during a call is told with its signal and the last lines of stderr', async () => {
  const { call, reached, sessions, counted, clock } = make();
  const result = rejection(call(), 'PLUGIN_EXITED');
  await reached();
  sessions[0]?.end(crash);
  const { message, data } = await result;
  assert.match(
    message,
    /SIGKILL during the call of calculate\. It last printed:\n {2}line one\n {2}out of \\u\{1b\}\[31mcheese/,
  );
  assert.deepEqual(data.reason, crash);
  assert.equal(counted.length, 1);
  assert.equal(clock.waiting, 0);
});

test('When the pipe closes first the cause is waited for, but not longer than its session lets it live', async () => {
  const { call, reached, sessions, clock } = make();
  const known = rejection(call(), 'PLUGIN_EXITED');
  await reached();
  sessions[0]?.closePipe();
  await clock.advance(60);
  sessions[0]?.end(crash);
  assert.equal((await known).data.reason.kind, 'signal');
  const other = make();
  const unknown = rejection(other.call(), 'PLUGIN_EXITED');
  await other.reached();
  other.sessions[0]?.closePipe();
  await other.clock.advance(hostLimits.closedPipeGraceMs + hostLimits.settleAfterExitMs);
  assert.equal((await unknown).data.reason.kind, 'protocol');
});

test('An idempotent call is made once more after a crash, and only once', async () => {
  const { call, reached, sessions, fresh, counted } = make({ ...calculate, idempotent: true });
  const result = call();
  await reached();
  sessions[0]?.end(crash);
  fresh();
  (await reached()).answer({ output: 2 });
  assert.equal((await result).output, 2);
  assert.equal(counted.length, 1);
  const again = rejection(call(), 'PLUGIN_EXITED');
  await reached();
  sessions[1]?.end(crash);
  fresh();
  await reached();
  sessions[2]?.end(crash);
  await again;
  assert.deepEqual(
    counted.map(({ ok }) => ok),
    [true, false],
  );
});

test('A call is not repeated when it is not idempotent, was stopped on purpose, or has streamed', async () => {
  const cases: readonly [idempotent: boolean, reason: ExitReason, value: ProgressValue | undefined, calls: number][] = [
    [false, crash, undefined, 1],
    [true, { kind: 'requested' }, undefined, 1],
    [true, crash, { kind: 'chunk', seq: 0, data: 'a' }, 1],
    [true, crash, { kind: 'report', message: 'half' }, 2],
  ];
  for (const [idempotent, reason, value, calls] of cases) {
    const { call, reached, sessions } = make({ ...calculate, idempotent });
    const seen: ProgressValue[] = [];
    const result = rejection(call({ onProgress: (progress) => seen.push(progress) }), 'PLUGIN_EXITED');
    const { options } = await reached();
    if (value !== undefined) options.onProgress?.(value);
    sessions[0]?.end(reason);
    await settled();
    sessions[0]?.closePipe();
    await result;
    assert.equal(sessions[0]?.calls.length, calls);
    assert.deepEqual(seen, value === undefined ? [] : [value]);
  }
});

test('A capability that the plugin left out at its start is not found', async () => {
  const { call, fixed } = make();
  fixed.session = () => Promise.resolve(new FakeSession({ capabilities: [{ kind: 'tool', name: 'other' }] }));
  assert.deepEqual((await rejection(call(), 'CAPABILITY_NOT_FOUND')).data.known, ['tool:other']);
});

test('Completions come from the plugin; without the method there are none', async () => {
  const { services, section, reached, fresh } = make();
  fresh();
  const items = complete({ plugin: 'p', capability: section, partial: '1+' }, services);
  const { method, params, options, answer } = await reached();
  assert.deepEqual([method, params.partial, options.timeoutMs], ['complete', '1+', hostLimits.completeTimeoutMs]);
  answer({ items: [{ value: '1+1', description: 'two' }, { value: '1+2' }] });
  assert.deepEqual(await items, [{ value: '1+1', description: 'two' }, { value: '1+2' }]);
  const none = complete({ plugin: 'p', capability: section, partial: '' }, services);
  (await reached()).fail(RpcError.of('MethodNotFound', 'no such method'));
  assert.deepEqual(await none, []);
  const failed = rejection(complete({ plugin: 'p', capability: section, partial: '' }, services), 'CALL_TIMEOUT');
  (await reached()).fail(new CallFailed('timeout', 'x'));
  await failed;
});

test('Calls wait while the plugin does not read, and end when their time is over', async () => {
  const { call, reached, clock, fresh } = make();
  const session = fresh();
  session.isFull = true;
  const abort = new AbortController();
  const waiting = call();
  const cancelled = rejection(call({ signal: abort.signal }), 'CALL_CANCELLED');
  const late = rejection(call({ timeoutMs: 1_000 }), 'CALL_TIMEOUT');
  await settled();
  assert.equal(session.calls.length, 0);
  abort.abort();
  await cancelled;
  await clock.advance(1_000);
  assert.match((await late).message, /did not read what it was sent within 1 s/);
  session.makeRoom();
  (await reached()).answer({ output: 2 });
  assert.equal((await waiting).output, 2);
  assert.equal(session.calls.length, 1);
});

test('a call has no more time than the one that led to it', async () => {
  const { call, reached, clock } = make();
  for (const [options, most] of [
    [{}, 50],
    [{ timeoutMs: 20 }, 20],
    [{ timeoutMs: 80 }, 50],
  ] as const) {
    const result = call(options, input, clock.monotonic() + 50);
    (await reached()).answer({ output: 1 });
    await result;
    assert.deepEqual((await reached()).options.timeoutMaxMs, most);
  }
});
