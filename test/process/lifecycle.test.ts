import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { confined } from '../support/confined.ts';
import { fixtureHost } from '../support/fixture-host.ts';

const manifestWith = (command: readonly string[], more = ''): { command: readonly string[]; more: string } => ({
  command,
  more,
});

test(
  'a call whose plugin is killed fails with the signal and its last words, and the next is answered',
  confined,
  async (t) => {
    const { host } = await fixtureHost(t, ['crashes-on-execute']);
    const plugin = await host.plugin('crashes_on_execute');
    for (const signal of ['SIGKILL', 'SIGSEGV', 'SIGTERM']) {
      await assert.rejects(plugin.execute('run', { signal }), (error) => {
        assert.ok(MmmError.is(error, 'PLUGIN_EXITED'), String(error));
        assert.equal(error.data.reason.kind === 'signal' && error.data.reason.signal, signal);
        assert.match(error.message, /about to die/);
        return true;
      });
      assert.equal(plugin.lastExit?.kind, 'signal');
      plugin.reset();
      assert.equal((await plugin.execute('run', 'again')).output, 'again');
    }
  },
);

test('an exit in a call is told from a crash by signal', confined, async (t) => {
  const { host } = await fixtureHost(t, ['crashes-on-execute']);
  const plugin = await host.plugin('crashes_on_execute');
  await assert.rejects(plugin.execute('run', { code: 7 }), (error) => {
    assert.ok(MmmError.is(error, 'PLUGIN_EXITED'), String(error));
    assert.deepEqual(error.data.reason, { kind: 'exit', code: 7, stderrTail: 'about to exit' });
    return true;
  });
});

test('every call in flight settles when the plugin dies', confined, async (t) => {
  const { host } = await fixtureHost(t, ['never-answers']);
  const plugin = await host.plugin('never_answers');
  await plugin.start();
  let working: () => void = () => undefined;
  const started = new Promise<void>((resolve) => {
    working = resolve;
  });
  const calls = Array.from({ length: 20 }, (_, index) =>
    plugin.execute('run', {}, index === 19 ? { onProgress: () => working() } : {}).then(
      () => 'answered',
      (error: MmmError) => error.code,
    ),
  );
  await started;
  process.kill(plugin.pid ?? 0, 'SIGKILL');
  assert.deepEqual([...new Set(await Promise.all(calls))], ['PLUGIN_EXITED']);
});

test('a plugin that crashes again and again is quarantined and says why', confined, async (t) => {
  const { host } = await fixtureHost(t, [
    { behaviour: 'crashes-on-execute', more: '[restart]\nbackoff_ms = 0\nbackoff_max_s = 0.001\nmax = 3' },
  ]);
  const plugin = await host.plugin('crashes_on_execute');
  const codes: string[] = [];
  for (let count = 0; count < 5; count += 1) {
    codes.push(
      await plugin.execute('run', { code: 1 }).then(
        () => 'answered',
        (error: MmmError) => error.code,
      ),
    );
  }
  assert.equal(codes[0], 'PLUGIN_EXITED');
  assert.equal(codes.at(-1), 'PLUGIN_UNAVAILABLE');
  assert.equal(plugin.state.kind, 'quarantined');
  plugin.reset();
  assert.equal((await plugin.execute('run', 'fine')).output, 'fine');
});

test('a cancelled call settles at once and the plugin lives on', confined, async (t) => {
  const { host } = await fixtureHost(t, ['never-answers']);
  const plugin = await host.plugin('never_answers');
  await plugin.start();
  const { pid } = plugin;
  const cancel = new AbortController();
  const call = plugin.execute('run', {}, { signal: cancel.signal, onProgress: () => cancel.abort() });
  await assert.rejects(call, (error) => MmmError.is(error, 'CALL_CANCELLED'));
  assert.equal(plugin.pid, pid);
});

test('a first launch that fails is shown with what the plugin said, and not retried', confined, async (t) => {
  const { host } = await fixtureHost(t, ['exits-before-hello']);
  const plugin = await host.plugin('exits_before_hello');
  await assert.rejects(plugin.start(), (error) => {
    assert.ok(MmmError.is(error, 'LAUNCH_FAILED'), String(error));
    assert.match(error.message, /exited with code 3[\s\S]*cannot find my licence file/);
    return true;
  });
  assert.equal(plugin.state.kind, 'failed');
});

test('silence past the start deadline fails the launch', confined, async (t) => {
  const { host } = await fixtureHost(t, [
    { behaviour: 'bad-initialize', ...manifestWith(['node', 'main.cjs', '[]'], '[limits]\nstart_timeout_s = 0.7') },
  ]);
  await assert.rejects((await host.plugin('bad_initialize')).start(), (error) => MmmError.is(error, 'START_TIMEOUT'));
});

const refusals: readonly [title: string, answer: unknown[], pattern: RegExp][] = [
  [
    'another protocol version',
    [{ jsonrpc: '2.0', id: '$id', result: { protocol: { version: 9, features: [] } } }],
    /version 9.*speaks 1/,
  ],
  [
    'another name',
    [{ jsonrpc: '2.0', id: '$id', result: { plugin: { name: 'other', version: '1.0.0' } } }],
    /says it is "other"/,
  ],
  [
    'an undeclared capability',
    [{ jsonrpc: '2.0', id: '$id', result: { capabilities: [{ kind: 'tool', name: 'extra' }] } }],
    /does not declare/,
  ],
  ['an error', [{ jsonrpc: '2.0', id: '$id', error: { code: 1, message: 'no database' } }], /no database/],
  ['a result of a wrong type', [{ jsonrpc: '2.0', id: '$id', result: { capabilities: 'all' } }], /capabilities/],
  [
    'a request out of turn',
    [{ jsonrpc: '2.0', id: 1, method: 'get_state', params: { scope: 'plugin', key: 'k' } }],
    /before it answered initialize/,
  ],
];
for (const [title, answer, pattern] of refusals) {
  test(`${title} in answer to initialize is refused with the reason`, confined, async (t) => {
    const command = ['node', 'main.cjs', JSON.stringify(answer)];
    const { host } = await fixtureHost(t, [{ behaviour: 'bad-initialize', command }]);
    await assert.rejects((await host.plugin('bad_initialize')).start(), (error) => {
      assert.ok(MmmError.is(error, 'HANDSHAKE_REFUSED'), String(error));
      assert.match(error.message, pattern);
      return true;
    });
  });
}

test('what a plugin says in its first breath cannot drive a terminal or fill a screen', confined, async (t) => {
  const evil = '\u001b]0;PWN\u0007\u001b[2J\u202e';
  const long = 'x'.repeat(3000);
  const answers = [
    [{ jsonrpc: '2.0', id: '$id', error: { code: 1, message: `${evil}${long}` } }],
    [{ jsonrpc: '2.0', id: '$id', result: { plugin: { name: evil + long, version: '1' } } }],
    [{ jsonrpc: '2.0', id: '$id', result: { capabilities: [{ kind: 'tool', name: `${evil}x` }] } }],
    [{ jsonrpc: '2.0', id: 1, method: evil + long, params: {} }],
  ];
  for (const answer of answers) {
    const command = ['node', 'main.cjs', JSON.stringify(answer)];
    const { host } = await fixtureHost(t, [{ behaviour: 'bad-initialize', command }]);
    await assert.rejects((await host.plugin('bad_initialize')).start(), (error: MmmError) => {
      // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there.
      assert.doesNotMatch(error.message.replaceAll('\n', ''), /[\u0000-\u001f\u007f-\u009f\u202e]/);
      assert.ok(error.message.length < 4000, `${error.message.length} characters`);
      return true;
    });
  }
});

test('nothing is left after the host closes', confined, async (t) => {
  const { host } = await fixtureHost(t, ['echo', 'never-answers']);
  const pids: number[] = [];
  for (const id of ['echo', 'never_answers']) {
    const plugin = await host.plugin(id);
    await plugin.start();
    pids.push(plugin.pid ?? 0);
  }
  await host.close();
  for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
});
