// Takes seconds: what real plugins ask and show goes to the client whose call it is.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ExecuteOptions, Host, Prompter, UserQuestion } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { confined } from '../support/confined.ts';
import { type Fixture, fixtureHost } from '../support/fixture-host.ts';

interface Answer {
  readonly error?: { readonly code: number; readonly message: string };
  readonly answer?: unknown;
}

/** A user who is asked one thing after the other and answers when the test says so. */
class User implements Prompter {
  readonly questions: UserQuestion[] = [];
  readonly gone: AbortSignal[] = [];
  readonly #answers: ((answer: string | boolean) => void)[] = [];
  #onQuestion: (() => void)[] = [];

  ask = (): Promise<'once' | 'always' | 'deny'> => {
    this.#tell();
    return new Promise((resolve) => this.#answers.push(resolve as never));
  };

  prompt(question: UserQuestion, signal: AbortSignal): Promise<string | boolean> {
    this.questions.push(question);
    this.gone.push(signal);
    this.#tell();
    return new Promise((resolve) => this.#answers.push(resolve));
  }

  async asked(): Promise<void> {
    if (this.#answers.length === 0) await new Promise<void>((resolve) => this.#onQuestion.push(resolve));
  }

  async answers(answer: string | boolean): Promise<void> {
    await this.asked();
    this.#answers.shift()?.(answer);
  }

  #tell(): void {
    for (const resolve of this.#onQuestion.splice(0)) setImmediate(resolve);
  }
}

const grants = `
[[permissions.messages]]
to = "talks_*"
optional = true

[[permissions.compose]]
plugin = "talks_*"
capability = "*"
`;

function talker(name: string, grant?: readonly string[]): Fixture {
  return { behaviour: 'talks', name: `talks_${name}`, more: grants, ...(grant === undefined ? {} : { grant }) };
}

async function run<T = Answer>(host: Host, name: string, order: unknown, options?: ExecuteOptions): Promise<T> {
  return (await (await host.plugin(`talks_${name}`)).execute<T>('run', order, options)).output;
}

const question = (message: string, kind = 'text', more = {}) => ({
  ask: { method: 'prompt_user', params: { message, kind, ...more } },
});

test('each client is asked what its own call leads to, also when several are open', confined, async (t) => {
  const { host } = await fixtureHost(t, [talker('a')]);
  const [first, second] = [new User(), new User()];
  const one = run(host, 'a', { each: [question('who are you'), question('sure?', 'confirm')] }, { prompter: first });
  await first.asked();
  const two = run(host, 'a', question('and you'), { prompter: second });
  await second.answers('Grace');
  assert.deepEqual(await two, { answer: 'Grace' });
  await first.answers('Ada');
  await first.answers(true);
  assert.deepEqual(await one, [{ answer: 'Ada' }, { answer: true }]);
  assert.deepEqual(first.questions[0], { plugin: 'talks_a', message: 'who are you', kind: 'text', options: [] });
  assert.equal(second.questions.length, 1);
});

test('a program that does not say for which call it asks is taken to work on the oldest', confined, async (t) => {
  const { host } = await fixtureHost(t, [talker('a')]);
  const [first, second] = [new User(), new User()];
  const one = run(host, 'a', question('first'), { prompter: first });
  await first.asked();
  // A question of that call is open already.
  const two = run(host, 'a', { ...question('second'), unnamed: true }, { prompter: second });
  assert.equal((await two).error?.code, -32053);
  await first.answers('1');
  assert.deepEqual(await one, { answer: '1' });
  assert.equal(second.questions.length, 0);
});

test(
  'without anybody to ask there is an error at once, and so there is for an answer that is none',
  confined,
  async (t) => {
    const { host } = await fixtureHost(t, [talker('a')]);
    assert.equal((await run(host, 'a', question('hello?'))).error?.code, -32057);
    assert.equal((await run(host, 'a', question('hello?'), { prompter: null })).error?.code, -32057);
    const silent: Prompter = { ask: async () => 'deny' };
    assert.equal((await run(host, 'a', question('hello?'), { prompter: silent })).error?.code, -32057);
    const away: Prompter = { ask: async () => 'deny', prompt: async () => Promise.reject(new Error('gone for lunch')) };
    assert.match((await run(host, 'a', question('hello?'), { prompter: away })).error?.message ?? '', /gone for lunch/);
    const wrong: Prompter = { ask: async () => 'deny', prompt: async () => 'blue' };
    const select = question('which', 'select', { options: ['red', 'green'] });
    assert.equal((await run(host, 'a', select, { prompter: wrong })).error?.code, -32057);
    const right: Prompter = { ask: async () => 'deny', prompt: async ({ options }) => options[1] ?? '' };
    assert.deepEqual(await run(host, 'a', select, { prompter: right }), { answer: 'green' });
  },
);

test('a plugin behind a plugin asks and shows the client of the first call', confined, async (t) => {
  const { host } = await fixtureHost(t, [talker('a'), talker('b')]);
  const user = new User();
  const shown: unknown[] = [];
  const order = {
    each: [{ ask: { method: 'display_progress', params: { message: 'half', fraction: 0.5 } } }, question('b asks')],
  };
  const params = { plugin: 'talks_b', capability: 'run', input: order };
  const call = run(
    host,
    'a',
    { ask: { method: 'execute_capability', params } },
    { prompter: user, onProgress: (value) => shown.push(value) },
  );
  await user.answers('through two');
  assert.deepEqual(await call, { output: [{}, { answer: 'through two' }] });
  assert.deepEqual(shown, [{ kind: 'report', message: 'half', fraction: 0.5 }]);
  assert.equal(user.questions[0]?.plugin, 'talks_b');
});

test('the question goes away when the call does', confined, async (t) => {
  const { host } = await fixtureHost(t, [talker('a')]);
  const user = new User();
  const enough = new AbortController();
  const call = run(host, 'a', question('never mind'), { prompter: user, signal: enough.signal });
  const cancelled = assert.rejects(call, (error) => MmmError.is(error, 'CALL_CANCELLED'));
  await user.asked();
  assert.equal(user.gone[0]?.aborted, false);
  enough.abort();
  await cancelled;
  assert.equal(user.gone[0]?.aborted, true);
});

test(
  'an optional permission is asked for through the client of the call, and told once it is granted',
  confined,
  async (t) => {
    const { host } = await fixtureHost(t, [talker('a', ['compose=talks_*:*']), talker('b')]);
    const message = { ask: { method: 'send_message', params: { target: 'talks_b', kind: 'event', payload: 1 } } };
    const request = (permission: string) => ({ ask: { method: 'request_permission', params: { permission } } });
    const nobody = await run(host, 'a', { each: [request('messages=talks_b'), message] });
    assert.deepEqual(
      (nobody as unknown as (Answer & { granted?: boolean })[]).map(({ granted, error }) => granted ?? error?.code),
      [false, -32051],
    );
    const user = new User();
    const asked = run(host, 'a', { each: [request('messages=talks_b'), message, { told: true }] }, { prompter: user });
    await user.answers('once');
    const [given, answered, { told }] = await (asked as unknown as Promise<
      [unknown, unknown, { told: { messages?: unknown[] }[] }]
    >);
    assert.deepEqual(given, { granted: true, once: true });
    assert.deepEqual(answered, { payload: 1 });
    assert.equal(told.at(-1)?.messages?.length, 1);
    // What the operating system grants is settled at the start.
    const late = await run(host, 'a', request('filesystem=read:/etc'), { prompter: user });
    assert.deepEqual(late, { granted: false, once: false });
  },
);

test('a revocation holds from the next request of a running plugin on, which is told of it', confined, async (t) => {
  const granted = ['messages=talks_*', 'compose=talks_*:*'];
  const { host } = await fixtureHost(t, [talker('a', granted), talker('b')]);
  const user = new User();
  const message = { ask: { method: 'send_message', params: { target: 'talks_b', kind: 'event', payload: 1 } } };
  const pause = question('go on?', 'confirm');
  const call = run<Answer[]>(
    host,
    'a',
    { each: [message, pause, message, { told: true }, pause, message] },
    { prompter: user },
  );
  await user.asked();
  const plugin = await host.plugin('talks_a');
  const { pid } = plugin;
  await host.revoke('talks_a', ['messages=talks_*']);
  await user.answers(true);
  await user.asked();
  await host.grant('talks_a', ['messages=talks_*']);
  await user.answers(true);
  const [before, , after, told, , again] = await call;
  assert.deepEqual(before, { payload: 1 });
  assert.equal(after?.error?.code, -32051);
  const { told: changes } = told as unknown as { told: { messages?: unknown[] }[] };
  assert.deepEqual(
    changes.map(({ messages }) => messages?.length),
    [undefined, 1],
  );
  assert.deepEqual(again, { payload: 1 });
  assert.equal(plugin.pid, pid);
});
