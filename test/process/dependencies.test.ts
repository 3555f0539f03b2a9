import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Host, MmmError } from '@mmm/host';
import { confined } from '../support/confined.ts';
import { type Fixture, fixtureHost } from '../support/fixture-host.ts';

/** Plugin `name`, which answers with its input and needs the others. */
function needs(name: string, ...others: readonly string[]): Fixture {
  return { behaviour: 'echo', name, more: others.map(dependency).join('\n') };
}

function dependency(text: string): string {
  const [plugin = '', version = '*'] = text.split(' ');
  const optional = plugin.endsWith('?') ? 'optional = true' : '';
  return `[[dependencies]]\nplugin = "${plugin.replace('?', '')}"\nversion = "${version}"\n${optional}`;
}

function launched(host: Host): (string | undefined)[] {
  return host.audit
    .list()
    .filter(({ action }) => action === 'launch')
    .map(({ plugin }) => plugin);
}

async function call(host: Host, id: string): Promise<unknown> {
  const plugin = await host.plugin(id);
  return (await plugin.execute('run', { text: id })).output;
}

test('a call to a plugin starts what it needs before it, and the host ends them in reverse', confined, async (t) => {
  const ended: string[] = [];
  const { host } = await fixtureHost(t, [needs('a', 'b ^1.0.0'), needs('b', 'c'), needs('c'), needs('d')], {
    onLog: (plugin, { stream, message }) => {
      if (stream === 'host' && !message.startsWith('started')) ended.push(plugin);
    },
  });
  await call(host, 'a');
  assert.deepEqual(launched(host), ['c', 'b', 'a']);
  await host.close();
  assert.deepEqual(ended, ['a', 'b', 'c']);
});

test('stopping a plugin first stops those that need it, and a later call starts both again', confined, async (t) => {
  const { host } = await fixtureHost(t, [needs('a', 'b'), needs('b'), needs('c', 'b?')]);
  const plugins = await Promise.all(['a', 'b', 'c'].map((id) => host.plugin(id)));
  for (const plugin of plugins) await plugin.start();
  const states = () => plugins.map(({ state }) => state.kind);
  await plugins[1]?.stop();
  assert.deepEqual(states(), ['stopped', 'stopped', 'running']);
  assert.match(JSON.stringify(plugins[0]?.state), /\\"b\\", which it needs, is being stopped/);
  await call(host, 'a');
  assert.deepEqual(states(), ['running', 'running', 'running']);
});

test('a call to a plugin that runs starts what it needs when that has ended meanwhile', confined, async (t) => {
  const { host } = await fixtureHost(t, [needs('a', 'b'), needs('b')]);
  await call(host, 'a');
  const b = await host.plugin('b');
  const { pid } = b;
  assert.ok(pid !== null);
  const gone = new AbortController();
  const changes = b.changes(gone.signal);
  process.kill(pid, 'SIGKILL');
  for await (const state of changes) if (state.kind !== 'running') break;
  await call(host, 'a');
  assert.equal(b.state.kind, 'running');
  assert.notEqual(b.pid, pid);
  gone.abort();
});

for (const [name, list, code, pattern] of [
  [
    'that is not there',
    [needs('a', 'b'), needs('b', 'c ^2.0.0')],
    'DEPENDENCY_MISSING',
    /"b" needs "c" \^2.*a → b → c/,
  ],
  ['of another version', [needs('a', 'b ^2.0.0'), needs('b')], 'DEPENDENCY_MISSING', /version 1\.0\.0 is there/],
  ['that needs it', [needs('a', 'b'), needs('b', 'a')], 'DEPENDENCY_CYCLE', /a → b → a/],
] as const) {
  test(`a plugin that needs one ${name} is not started, and nothing else either`, confined, async (t) => {
    const { host } = await fixtureHost(t, list);
    await assert.rejects(call(host, 'a'), { code, message: pattern });
    assert.deepEqual(launched(host), []);
  });
}

test('a plugin is not started when one that it needs cannot be, with the cause', confined, async (t) => {
  const broken = { behaviour: 'exits-before-hello', name: 'c' };
  const { host } = await fixtureHost(t, [needs('a', 'b'), needs('b', 'c'), broken, needs('d', 'c?')]);
  await assert.rejects(call(host, 'a'), (error) => {
    assert.ok(MmmError.is(error, 'DEPENDENCY_FAILED'), String(error));
    assert.deepEqual(error.data, { plugin: 'a', dependency: 'c', cause: 'LAUNCH_FAILED', chain: ['a', 'b', 'c'] });
    assert.match(error.message, /"c", which it needs \(a → b → c\), did not start\. Plugin "c" exited with code/);
    return true;
  });
  assert.deepEqual(launched(host), ['c']);
  assert.deepEqual(await call(host, 'd'), { text: 'd' });
});

test('a disabled plugin that another one needs is named, and enabling it is enough', confined, async (t) => {
  const { host } = await fixtureHost(t, [needs('a', 'b'), needs('b')]);
  await host.disable('b');
  await assert.rejects(call(host, 'a'), { code: 'DEPENDENCY_MISSING', message: /mmm plugin enable b/ });
  await host.enable('b');
  assert.deepEqual(await call(host, 'a'), { text: 'a' });
});

test('a plugin that says nothing holds up the starts of others for a moment only', confined, async (t) => {
  const silent: Fixture = { behaviour: 'echo', name: 'silent', command: ['sleep', '1000'] };
  const { host } = await fixtureHost(t, [silent, needs('a')], { concurrentStarts: 1 });
  const waiting = await host.plugin('silent');
  const start = assert.rejects(waiting.start());
  while (launched(host).length === 0) await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await call(host, 'a'), { text: 'a' });
  assert.equal(waiting.state.kind, 'starting');
  await waiting.stop();
  await start;
});
