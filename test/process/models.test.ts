// Takes seconds: a real plugin asks a real model plugin, in one piece and in chunks.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Host } from '@mmm/host';
import { confined } from '../support/confined.ts';
import { type Fixture, fixtureHost } from '../support/fixture-host.ts';

interface Answer {
  readonly error?: { readonly code: number; readonly message: string };
  readonly message?: { readonly content: string };
  readonly usage?: { readonly acks: number };
}

const asks = '[[permissions.model]]\nreason = "Summaries"\n';
const model = '[[capabilities]]\nkind = "model"\nname = "small"\n';

function plugin(name: string, more: string): Fixture {
  return { behaviour: 'talks', name, more };
}

async function run<T = Answer>(host: Host, name: string, order: unknown): Promise<T> {
  return (await (await host.plugin(name)).execute<T>('run', order)).output;
}

/** The fixture does what `options` say, as a model. */
const request = (options: unknown, more = {}) => ({
  ask: { method: 'model_request', params: { messages: [{ role: 'user', content: 'hello' }], options, ...more } },
});
const reply = { message: { role: 'assistant', content: 'hi' }, stop_reason: 'end' };

test('a request goes to the only model, and is kept by the specification it was about', confined, async (t) => {
  const { host } = await fixtureHost(t, [plugin('asker', asks), plugin('other', asks), plugin('model', model)]);
  assert.deepEqual(await run(host, 'asker', request(reply, { spec: 'login' })), reply);
  await run(host, 'asker', request(reply));
  const history = (params = {}) => ({ ask: { method: 'get_model_history', params } });
  const { exchanges } = await run<{ exchanges: Record<string, unknown>[] }>(host, 'asker', history());
  assert.deepEqual(
    exchanges.map(({ spec, provider, message, stop_reason: stop }) => [spec, provider, message, stop]),
    [
      ['login', 'model:small', reply.message, 'end'],
      [null, 'model:small', reply.message, 'end'],
    ],
  );
  const about = await run<{ exchanges: unknown[] }>(host, 'asker', history({ spec: 'login' }));
  assert.equal(about.exchanges.length, 1);
  const told = await host.events.list({ types: ['model_response'] });
  assert.deepEqual(
    told.map(({ source, data }) => [source, data]),
    ['login', null].map((spec) => ['asker', { provider: 'model:small', spec, usage: null, stop_reason: 'end' }]),
  );
  // What others asked is theirs.
  assert.deepEqual(await run(host, 'other', history()), { exchanges: [] });
});

test('chunks of a model reach the plugin that asked, in order and before the answer', confined, async (t) => {
  const { host } = await fixtureHost(t, [plugin('asker', asks), plugin('model', model)]);
  const answer = await run(host, 'asker', request({ stream: 200 }, { progress_token: 'mine' }));
  assert.equal(answer.message?.content, '200 chunks');
  const { told } = await run<{ told: number[] }>(host, 'asker', { told: true });
  assert.deepEqual(
    told,
    Array.from({ length: 200 }, (_, index) => index),
  );
});

test('the settings choose among several models, by default and by the name that is asked for', confined, async (t) => {
  const list = [plugin('asker', asks), plugin('model_a', model), plugin('model_b', model)];
  const { host: undecided } = await fixtureHost(t, list);
  assert.match(
    (await run(undecided, 'asker', request(reply))).error?.message ?? '',
    /several models.*\[models\] default/,
  );
  const settings = '[models]\ndefault = "model_a"\nroutes = { "big-*" = "model_b:small", "gone" = "model_c" }\n';
  const { host } = await fixtureHost(t, list, { settings });
  await run(host, 'asker', request(reply));
  await run(host, 'asker', request({ ...reply, model: 'big-7' }));
  assert.match(
    (await run(host, 'asker', request({ model: 'gone' }))).error?.message ?? '',
    /"model_c", which config.toml/,
  );
  const { exchanges } = await run<{ exchanges: { provider: string }[] }>(host, 'asker', {
    ask: { method: 'get_model_history', params: {} },
  });
  assert.deepEqual(
    exchanges.map(({ provider }) => provider),
    ['model_a:small', 'model_b:small'],
  );
});

test('without the permission no model is asked, and an answer that is none is an error', confined, async (t) => {
  const { host } = await fixtureHost(t, [plugin('asker', asks), plugin('nosy', ''), plugin('model', model)]);
  assert.equal((await run(host, 'nosy', request(reply))).error?.code, -32051);
  assert.equal((await run(host, 'nosy', { ask: { method: 'get_model_history', params: {} } })).error?.code, -32051);
  assert.equal((await run(host, 'asker', request({ available: true }))).error?.code, -32603);
});
