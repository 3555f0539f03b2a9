import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type CallContext, definePlugin } from '@mmm/plugin-sdk';
import { testPlugin } from '@mmm/plugin-sdk/testing';

/** What a handler asked the host, and what it got. */
async function asked(work: (context: CallContext) => Promise<unknown>, answers: Record<string, unknown>) {
  const requests: { method: string; params: Record<string, unknown> }[] = [];
  const host = await testPlugin(
    definePlugin({ name: 'p', tools: { run: { execute: (_input, context) => work(context) } } }),
    {
      host: Object.fromEntries(
        Object.entries(answers).map(([method, answer]) => [
          method,
          (params: Record<string, unknown>) => {
            requests.push({ method, params });
            return answer;
          },
        ]),
      ),
    },
  );
  const output = await host.execute('run', {});
  await host.shutdown();
  // The same number for all of one call, whichever it is.
  const ids = new Set(requests.map(({ params }) => params.call_id));
  assert.equal(ids.size, 1);
  assert.equal(typeof [...ids][0], 'number');
  return { output, requests: requests.map(({ method, params: { call_id: _, ...params } }) => [method, params]) };
}

it('asks the user of its own call', async () => {
  const { output, requests } = await asked(
    async ({ user }) => [
      await user.text('name?'),
      await user.select('which?', ['a', 'b']),
      await user.secret('password?'),
      await user.progress('half', 0.5),
      await user.permit('network=h:443'),
    ],
    { prompt_user: { answer: 'a' }, display_progress: {}, request_permission: { granted: true, once: false } },
  );
  assert.deepEqual(output, ['a', 'a', 'a', null, { granted: true, once: false }]);
  assert.deepEqual(requests, [
    ['prompt_user', { kind: 'text', message: 'name?' }],
    ['prompt_user', { kind: 'select', message: 'which?', options: ['a', 'b'] }],
    ['prompt_user', { kind: 'secret', message: 'password?' }],
    ['display_progress', { message: 'half', fraction: 0.5 }],
    ['request_permission', { permission: 'network=h:443' }],
  ]);
});

it('calls other plugins and sends them messages', async () => {
  const { output, requests } = await asked(
    async ({ plugins }) => [
      await plugins.execute({ plugin: 'calculator', capability: 'calculate' }, { expression: '1+1' }),
      await plugins.execute({ capability: 'calculate' }, 1),
      await plugins.send('other', 'hello', { kind: 'command', timeoutMs: 500 }),
      await plugins.broadcast('all'),
    ],
    { execute_capability: { output: 2 }, send_message: { payload: 'hi' }, broadcast_message: [] },
  );
  assert.deepEqual(output, [2, 2, 'hi', []]);
  assert.deepEqual(requests, [
    ['execute_capability', { plugin: 'calculator', capability: 'calculate', input: { expression: '1+1' } }],
    ['execute_capability', { capability: 'calculate', input: 1 }],
    ['send_message', { target: 'other', payload: 'hello', kind: 'command', metadata: {}, timeout_ms: 500 }],
    ['broadcast_message', { payload: 'all', kind: 'query', metadata: {} }],
  ]);
});

it('asks models and reads and changes specifications', async () => {
  const message = { role: 'user', content: 'hello' };
  const { output, requests } = await asked(
    async ({ model, project }) => [
      await model.ask([message], { options: { model: 'small' }, spec: 'login' }),
      await model.history('login'),
      await project.current(),
      await project.spec('login'),
      await project.setStatus('login', 'done'),
    ],
    {
      model_request: { message },
      get_model_history: { exchanges: [1] },
      get_current_project: { project: null },
      get_spec: { spec: { name: 'login' } },
      update_spec_status: {},
    },
  );
  assert.deepEqual(output, [{ message }, [1], null, { name: 'login' }, null]);
  assert.deepEqual(requests, [
    ['model_request', { messages: [message], options: { model: 'small' }, spec: 'login' }],
    ['get_model_history', { spec: 'login' }],
    ['get_current_project', {}],
    ['get_spec', { name: 'login' }],
    ['update_spec_status', { name: 'login', status: 'done' }],
  ]);
});
