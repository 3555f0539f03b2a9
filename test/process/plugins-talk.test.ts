// Takes seconds: real plugins that send each other messages and call each other.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Host } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { confined } from '../support/confined.ts';
import { type Fixture, fixtureHost } from '../support/fixture-host.ts';

type Answer = Record<string, never> & { error?: { code: number; message: string; data: { details?: unknown } } };

const mayTalk =
  '[[permissions.messages]]\nto = "talks_*"\n\n[[permissions.compose]]\nplugin = "talks_*"\ncapability = "*"\n';

function talker(name: string, more = mayTalk): Fixture {
  return { behaviour: 'talks', name: `talks_${name}`, more };
}

async function run<T = Answer>(host: Host, name: string, order: unknown, timeoutMs = 30_000): Promise<T> {
  const plugin = await host.plugin(`talks_${name}`);
  return (await plugin.execute<T>('run', order, { timeoutMs })).output;
}

const message = (name: string, payload: unknown, more = {}) => ({
  ask: { method: 'send_message', params: { target: `talks_${name}`, kind: 'query', payload, ...more } },
});
const call = (name: string, input: unknown) => ({
  ask: { method: 'execute_capability', params: { plugin: `talks_${name}`, capability: 'run', input } },
});

test('a message starts its receiver, says from whom it is, and brings the answer back', confined, async (t) => {
  const { host } = await fixtureHost(t, [talker('a'), talker('b')]);
  assert.deepEqual(await run(host, 'a', message('b', { hello: 1 })), { payload: { hello: 1 } });
  assert.deepEqual(await run(host, 'b', { seen: true }), [{ source: 'talks_a', payload: { hello: 1 } }]);
});

test('messages of one sender reach a receiver in the order in which they were sent', confined, async (t) => {
  const { host } = await fixtureHost(t, [talker('a'), talker('b')]);
  const numbers = Array.from({ length: 50 }, (_, index) => index);
  await run(host, 'a', { all: numbers.map((number) => message('b', { number })) });
  const seen = await run<{ payload: { number: number } }[]>(host, 'b', { seen: true });
  assert.deepEqual(
    seen.map(({ payload }) => payload.number),
    numbers,
  );
});

test(
  'a plugin without the grant reaches nobody, which is audited, and a revocation holds from the next request on',
  confined,
  async (t) => {
    const optional = '[[permissions.messages]]\nto = "talks_*"\noptional = true\n';
    const a = { ...talker('a', optional), grant: ['messages=talks_*'] };
    const { host } = await fixtureHost(t, [a, talker('b'), talker('c', '')]);
    const refused = await run(host, 'c', message('b', 1));
    assert.equal(refused.error?.code, -32051);
    assert.match(refused.error?.message ?? '', /messages=talks_b.*manifest does not ask/s);
    assert.equal((await host.statistics('talks_c')).counters.denials, 1);
    assert.equal(host.audit.list({ plugin: 'talks_c' }).at(-1)?.action, 'refused');
    assert.deepEqual(await run(host, 'a', message('b', 1)), { payload: 1 });
    await host.revoke('talks_a', ['messages=talks_*']);
    assert.equal((await run(host, 'a', message('b', 1))).error?.code, -32051);
    assert.equal((await host.permissions('talks_a')).permissions[0]?.used?.uses, 1);
  },
);

test('who would wait for itself is told the chain at once, across messages and calls', confined, async (t) => {
  const { host } = await fixtureHost(t, [talker('a'), talker('b'), talker('c')]);
  const answer = await run(host, 'a', call('b', message('c', call('a', 1))));
  const { output } = answer as unknown as { output: { payload: Answer } };
  assert.equal(output.payload.error?.code, -32602);
  assert.match(output.payload.error?.message ?? '', /talks_a → talks_b → talks_c → talks_a/);
  assert.equal((await run(host, 'a', message('a', 1))).error?.code, -32602);
  // Also for a program that does not say which call it works on.
  const unnamed = await run(host, 'a', call('b', { ...call('a', 1), unnamed: true }));
  assert.match(JSON.stringify(unnamed), /talks_a → talks_b → talks_a/);
});

test('plugins may ask plugins eight deep', confined, async (t) => {
  const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
  const { host } = await fixtureHost(
    t,
    names.map((name) => talker(name)),
  );
  const nest = (rest: readonly string[]): unknown => {
    const [next, ...more] = rest;
    return next === undefined ? 'end' : call(next, nest(more));
  };
  assert.match(JSON.stringify(await run(host, 'a', nest(names.slice(1, 9)))), /"end"/);
  const deeper = JSON.stringify(await run(host, 'a', nest(names.slice(1))));
  assert.match(deeper, /8 deep.*talks_i → talks_j/);
});

test(
  'a plugin that dies fails those that wait for it, and one that hangs costs its own time only',
  confined,
  async (t) => {
    const { host } = await fixtureHost(t, [talker('a'), talker('b'), talker('c'), talker('d')]);
    await Promise.all(['b', 'c', 'd'].map(async (name) => (await host.plugin(`talks_${name}`)).start()));
    const died = await run(host, 'a', {
      all: [message('b', { hang: true }), call('b', { hang: true }), message('b', { exit: true })],
    });
    for (const answer of died as unknown as Answer[]) {
      assert.equal(answer.error?.code, -32058);
      assert.match(answer.error?.message ?? '', /"talks_b" ended before it answered/);
    }
    const slow = await run(host, 'a', message('c', { hang: true }, { timeout_ms: 200 }));
    assert.equal(slow.error?.code, -32052);
    const refused = await run(host, 'a', message('c', { fail: { code: -32061, message: 'only events' } }));
    assert.deepEqual([refused.error?.code, refused.error?.message], [-32061, 'only events']);
    const unknown = await run(host, 'a', message('c', { fail: { code: -32601, message: 'what is that' } }));
    assert.equal(unknown.error?.code, -32061);
  },
);

test('a broadcast has one entry for each receiver, whatever becomes of it', confined, async (t) => {
  const { host } = await fixtureHost(t, [
    talker('a'),
    talker('b'),
    talker('c'),
    { behaviour: 'echo', name: 'talks_not' },
    { behaviour: 'echo', name: 'other' },
  ]);
  const start = async (id: string): Promise<void> => (await host.plugin(id)).start();
  await Promise.all(['talks_b', 'talks_c', 'talks_not', 'other'].map(start));
  const hang = run(host, 'c', { hang: true }, 60_000).catch((error: unknown) => error);
  const params = { kind: 'event', payload: { each: [1] }, timeout_ms: 10_000 };
  const all = await run<{ source: string; payload?: unknown; error?: { code: number } }[]>(host, 'a', {
    ask: { method: 'broadcast_message', params },
  });
  const byName = new Map(all.map((entry) => [entry.source, entry]));
  assert.deepEqual([...byName.keys()].sort(), ['talks_b', 'talks_c', 'talks_not']);
  assert.deepEqual(byName.get('talks_b')?.payload, [1]);
  assert.equal(byName.get('talks_not')?.error?.code, -32603);
  const slow = await run<{ source: string; error?: { code: number } }[]>(host, 'a', {
    ask: { method: 'broadcast_message', params: { kind: 'event', payload: { hang: true }, timeout_ms: 300 } },
  });
  assert.equal(slow.find(({ source }) => source === 'talks_c')?.error?.code, -32052);
  await host.close();
  assert.ok((await hang) instanceof MmmError);
});

test('a storm of messages is cut off and leaves the host and the others as they were', confined, async (t) => {
  const { host } = await fixtureHost(t, [talker('a'), talker('b'), talker('c')]);
  await (await host.plugin('talks_b')).start();
  const storm = { all: Array.from({ length: 600 }, () => message('b', 'x'.repeat(1000))) };
  const answers = await run<Answer[]>(host, 'a', storm, 60_000);
  const busy = answers.filter(({ error }) => error?.code === -32053).length;
  assert.ok(busy > 0, 'nothing was cut off');
  assert.equal(answers.length - busy, answers.filter(({ error }) => error === undefined).length);
  assert.deepEqual(await run(host, 'c', message('b', 'still there')), { payload: 'still there' });
});

test(
  'a capability is called by its grant, for the client of the first call, and ends when that does',
  confined,
  async (t) => {
    const { host } = await fixtureHost(t, [talker('a'), talker('b'), talker('c', '')]);
    assert.deepEqual(await run(host, 'a', call('b', { value: 7 })), { output: { value: 7 } });
    assert.equal((await run(host, 'c', call('b', 1))).error?.code, -32051);
    assert.equal((await run(host, 'a', call('nobody', 1))).error?.code, -32056);
    const ambiguous = await run(host, 'a', {
      ask: { method: 'execute_capability', params: { capability: 'run', input: 1 } },
    });
    assert.match(ambiguous.error?.message ?? '', /Several plugins have "run": "talks_b", "talks_c"/);
    const gone = new AbortController();
    const plugin = await host.plugin('talks_a');
    const b = await host.plugin('talks_b');
    const cancelled = plugin.execute(
      'run',
      call('b', { each: [{ ask: { method: 'display_progress', params: { message: 'here' } } }, { hang: true }] }),
      {
        signal: gone.signal,
        onProgress: () => gone.abort(),
      },
    );
    await assert.rejects(cancelled, (error) => MmmError.is(error, 'CALL_CANCELLED'));
    const { output } = await b.execute<{ cancelled: unknown[] }>('run', { told: true });
    assert.equal(output.cancelled.length, 1);
  },
);

test('hostile params are refused and nothing breaks', confined, async (t) => {
  const { host } = await fixtureHost(t, [talker('a'), talker('b')]);
  const send = (method: string, params: unknown) => ({ ask: { method, params } });
  const answers = await run<Answer[]>(host, 'a', {
    each: [
      send('send_message', { target: '../../etc', kind: 'query', payload: 1 }),
      send('send_message', { target: '__proto__', kind: 'query', payload: 1 }),
      send('send_message', { target: 'talks_b', kind: 'bomb', payload: 1 }),
      send('send_message', { target: 'talks_b', kind: 'query', payload: 1, timeout_ms: -1 }),
      send('send_message', { target: 'x'.repeat(1000), kind: 'query', payload: 1 }),
      send('execute_capability', { plugin: 'talks_b', capability: 'constructor', input: 1 }),
      send('execute_capability', { capability: ['run'], input: 1 }),
      send('broadcast_message', { kind: 'event', metadata: 'no' }),
      send('prompt_user', { kind: 'select', message: 'choose' }),
      send('request_permission', { permission: 'everything' }),
    ],
  });
  assert.deepEqual(
    answers.map(({ error }) => error?.code),
    [-32051, -32051, -32602, -32602, -32602, -32056, -32602, -32602, -32602, -32602],
  );
  assert.deepEqual(await run(host, 'a', message('b', 'fine')), { payload: 'fine' });
});
