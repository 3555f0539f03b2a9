import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  type AnyMethod,
  callContext,
  hostMethods,
  kindShapes,
  pluginMethods,
  sharedMethods,
  wireLimits,
} from '@mmm/protocol';

const context = { caller: { kind: 'cli', id: 'mmm' }, timestamp: '2026-01-02T03:04:05.678Z', deadline_ms: 30_000 };

function namesOf(methods: Readonly<Record<string, AnyMethod>>, kind: AnyMethod['kind']): string[] {
  return Object.values(methods)
    .filter((method) => method.kind === kind)
    .map(({ name }) => name)
    .sort();
}

test('the host asks and tells a plugin exactly this', () => {
  assert.deepEqual(namesOf(pluginMethods, 'request'), [
    'complete',
    'configure',
    'execute',
    'handle_event',
    'handle_message',
    'initialize',
    'on_tool_error',
    'ping',
    'poll_events',
    'shutdown',
    'start_trigger',
    'stop_trigger',
  ]);
  assert.deepEqual(namesOf(pluginMethods, 'notification'), ['initialized', 'permissions_changed']);
});

test('a plugin asks and tells the host exactly this', () => {
  assert.deepEqual(namesOf(hostMethods, 'request'), [
    'broadcast_message',
    'delete_state',
    'display_progress',
    'emit_event',
    'execute_capability',
    'fetch',
    'get_current_project',
    'get_model_history',
    'get_spec',
    'get_state',
    'list_state',
    'model_request',
    'prompt_user',
    'record_metric',
    'request_permission',
    'send_message',
    'set_state',
    'subscribe_to_event',
    'unsubscribe_from_event',
    'update_spec_status',
    'update_state',
  ]);
  assert.deepEqual(namesOf(hostMethods, 'notification'), ['log']);
  assert.deepEqual(namesOf(sharedMethods, 'notification'), ['$/ack', '$/cancelRequest', '$/progress']);
});

test('every method stands in its table under its own name and says what it does', () => {
  for (const methods of [pluginMethods, hostMethods]) {
    for (const [key, { name, summary }] of Object.entries(methods)) {
      assert.equal(key, name);
      assert.match(summary, /^[A-Z].*\.$/);
    }
  }
});

test('the smallest plugin may answer initialize with an empty object', () => {
  assert.deepEqual(pluginMethods.initialize.result.parse({}), {});
});

test('an answer to initialize may name a version without features', () => {
  const { protocol } = pluginMethods.initialize.result.parse({ protocol: { version: 1 }, unheard_of: true });
  assert.deepEqual(protocol, { version: 1, features: [] });
});

test('an answer nobody reads may be null or an object', () => {
  for (const { result } of [pluginMethods.configure, pluginMethods.shutdown, pluginMethods.start_trigger]) {
    for (const answer of [null, {}, { ok: true }]) assert.ok(result.safeParse(answer).success);
    assert.equal(result.safeParse('done').success, false);
  }
});

test('any answer to ping means alive', () => {
  for (const answer of [null, {}, 'pong', 1]) assert.ok(pluginMethods.ping.result.safeParse(answer).success);
});

test('an answer to execute has an output, which may be null', () => {
  assert.ok(pluginMethods.execute.result.safeParse({ output: null }).success);
  assert.equal(pluginMethods.execute.result.safeParse({}).success, false);
  assert.equal(pluginMethods.execute.result.safeParse(null).success, false);
});

test('the context of a call has a time in UTC with milliseconds', () => {
  assert.ok(callContext.safeParse(context).success);
  for (const timestamp of ['2026-01-02T03:04:05Z', '2026-01-02T03:04:05.678+01:00', 'now']) {
    assert.equal(callContext.safeParse({ ...context, timestamp }).success, false);
  }
});

test('events of a trigger may carry a time of any offset and precision', () => {
  const events = [{ id: '1', type: 'tick', data: null, timestamp: '2026-01-02T03:04:05.678901+01:00' }];
  assert.ok(pluginMethods.poll_events.result.safeParse({ events, cursor: '1' }).success);
});

test('a poll stays within its limits', () => {
  const poll = { ack: null, max: wireLimits.pollEvents, wait_ms: wireLimits.pollWaitMs };
  const { params } = pluginMethods.poll_events;
  assert.ok(params.safeParse(poll).success);
  assert.equal(params.safeParse({ ...poll, max: 1001 }).success, false);
  assert.equal(params.safeParse({ ...poll, wait_ms: 20_001 }).success, false);
  assert.equal(params.safeParse({ ...poll, ack: 'x'.repeat(1025) }).success, false);
  assert.equal(params.safeParse({ max: 1, wait_ms: 0 }).success, false);
});

test('a log line needs only its message', () => {
  assert.deepEqual(hostMethods.log.params.parse({ message: 'hi' }), { message: 'hi', level: 'info', fields: {} });
});

test('an operation on state brings what it needs', () => {
  const check = (operation: Record<string, unknown>) => {
    return hostMethods.update_state.params.safeParse({ scope: 'plugin', operations: [operation] }).success;
  };
  assert.ok(check({ op: 'set', key: 'a', value: null }));
  assert.ok(check({ op: 'check', key: 'a', if_version: 0 }));
  assert.ok(check({ op: 'delete', key: 'a' }));
  assert.equal(check({ op: 'set', key: 'a' }), false);
  assert.equal(check({ op: 'check', key: 'a' }), false);
  const many = Array.from({ length: 65 }, () => ({ op: 'delete', key: 'a' }));
  assert.equal(hostMethods.update_state.params.safeParse({ scope: 'plugin', operations: many }).success, false);
});

test('progress is a report or a chunk', () => {
  const check = (value: unknown) => sharedMethods.progress.params.safeParse({ token: 'p1', value }).success;
  assert.ok(check({ kind: 'report', fraction: 0.5 }));
  assert.ok(check({ kind: 'chunk', seq: 0, data: 'a' }));
  assert.equal(check({ kind: 'chunk', data: 'a' }), false);
  assert.equal(check({ kind: 'other' }), false);
});

test('the input of a command has defaults, and its exit code a range', () => {
  assert.deepEqual(kindShapes.command.input.parse({}), { args: [], options: {} });
  assert.equal(kindShapes.command.output.safeParse({ exit_code: 256 }).success, false);
});

test('an analyzer gets paths or data', () => {
  assert.ok(kindShapes.analyzer.input.safeParse({ paths: ['a'] }).success);
  assert.ok(kindShapes.analyzer.input.safeParse({ data: null }).success);
  assert.equal(kindShapes.analyzer.input.safeParse({}).success, false);
});
