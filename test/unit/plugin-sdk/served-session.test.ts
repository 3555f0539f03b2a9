import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { definePlugin, type Plugin, PluginError, RpcError, serve } from '@mmm/plugin-sdk';
import { testPlugin } from '@mmm/plugin-sdk/testing';
import { pluginMethods, type WireErrorName } from '@mmm/protocol';
import { type Connection, connect, memoryTransportPair } from '@mmm/rpc';
import * as z from 'zod';

const is = (name: WireErrorName, message: RegExp) => (error: unknown) => {
  assert.ok(error instanceof RpcError, String(error));
  assert.ok(error.is(name), `${error.code} ${error.message}`);
  assert.match(error.message, message);
  return true;
};

/** A host that did not say hello yet. */
function rawHost(plugin: Plugin): { host: Connection; closed: Promise<unknown> } {
  const [hostSide, pluginSide] = memoryTransportPair();
  const { closed } = serve(plugin, pluginSide);
  return { host: connect(hostSide, { framing: 'ndjson' }), closed };
}
const hello = {
  protocol: { version: 1 },
  host: { name: 'test', version: '1.0.0' },
  plugin: { id: 'p', version: '1.0.0', directory: '/p', data_directory: '/d' },
  config: {},
  permissions: {},
  locale: 'en',
};

describe('a served plugin, at its start', () => {
  it('introduces itself with its version, features and capabilities', async () => {
    const host = await testPlugin(definePlugin({ name: 'p', version: '2.0.0', tools: { a: { execute: () => 1 } } }));
    assert.deepEqual(host.introduction, {
      protocol: { version: 1, features: ['ping', 'chunks'] },
      plugin: { name: 'p', version: '2.0.0' },
      capabilities: [{ kind: 'tool', name: 'a' }],
    });
    await host.shutdown();
  });
  it('answers NotInitialized to calls that come too early, but answers ping', async () => {
    const { host } = rawHost(definePlugin({ tools: { a: { execute: () => 1 } } }));
    const early = host.call(pluginMethods.complete, { capability: { kind: 'tool', name: 'a' }, partial: '' });
    await assert.rejects(early, is('NotInitialized', /"complete" came before initialize/));
    assert.deepEqual(await host.call(pluginMethods.ping, {}), {});
    host.close();
  });
  it('refuses a version it does not speak, naming both', async () => {
    const { host } = rawHost(definePlugin({}));
    const offer = { ...hello, protocol: { version: 7 } };
    await assert.rejects(host.call(pluginMethods.initialize, offer), is('InvalidRequest', /version 7 .* version 1/));
    host.close();
  });
  it('lets calls wait that come while it starts, and answers them in order', async () => {
    const { host } = rawHost(definePlugin({ start: async () => undefined, tools: { a: { execute: () => 1 } } }));
    const order: string[] = [];
    const note = (what: string) => () => order.push(what);
    const opening = host.call(pluginMethods.initialize, hello).then(note('initialize'));
    const call = host.call(pluginMethods.complete, { capability: { kind: 'tool', name: 'a' }, partial: '' });
    await Promise.all([opening, call.then(note('complete'))]);
    assert.deepEqual(order, ['initialize', 'complete']);
    host.close();
  });
  it('refuses the waiting calls when the start fails, and may be initialized again', async () => {
    let attempts = 0;
    const start = async (): Promise<void> => {
      attempts += 1;
      if (attempts === 1) throw new Error('not yet');
    };
    const { host } = rawHost(definePlugin({ start, tools: { a: { execute: () => 1 } } }));
    const opening = host.call(pluginMethods.initialize, hello);
    const call = host.call(pluginMethods.complete, { capability: { kind: 'tool', name: 'a' }, partial: '' });
    await Promise.all([
      assert.rejects(opening, is('InternalError', /^not yet$/)),
      assert.rejects(call, is('NotInitialized', /complete/)),
    ]);
    await host.call(pluginMethods.initialize, hello);
    host.close();
  });
  it('refuses a second initialize', async () => {
    const host = await testPlugin(definePlugin({}));
    await assert.rejects(host.request('initialize', hello), is('InvalidRequest', /twice/));
    await host.shutdown();
  });
  it('runs start before it answers, with the facts of the session', async () => {
    const seen: unknown[] = [];
    const plugin = definePlugin({
      name: 'p',
      start: ({ plugin, config, locale }) => void seen.push(plugin.id, plugin.dataDirectory, config, locale),
    });
    await (await testPlugin(plugin, { config: { a: 1 }, locale: 'de', dataDirectory: '/tmp/p' })).shutdown();
    assert.deepEqual(seen, ['p', '/tmp/p', { a: 1 }, 'de']);
  });
  it('fails the start with the sentence that start threw', async () => {
    const start = (): void => {
      throw new Error('no licence file');
    };
    await assert.rejects(testPlugin(definePlugin({ start })), is('InternalError', /^no licence file$/));
  });
  it('fails the start when the configuration does not fit its schema', async () => {
    const plugin = definePlugin({ config: z.object({ port: z.number() }) });
    await assert.rejects(testPlugin(plugin, { config: { port: 'x' } }), is('InvalidConfig', /configuration .* port: /));
  });
});

describe('a served plugin, when called', () => {
  it('gives the input to the capability and its output to the caller', async () => {
    const host = await testPlugin(definePlugin({ tools: { twice: { execute: (input: number) => input * 2 } } }));
    assert.equal(await host.execute('twice', 21), 42);
    await host.shutdown();
  });
  it('answers null for no output', async () => {
    const host = await testPlugin(definePlugin({ actions: { quiet: { execute: () => undefined } } }));
    assert.equal(await host.execute('quiet'), null);
    await host.shutdown();
  });
  it('names what it has when asked for what it has not', async () => {
    const host = await testPlugin(definePlugin({ tools: { a: { execute: () => 1 } } }));
    await assert.rejects(host.execute('b'), is('UnknownCapability', /No tool "b" here; there is tool a\./));
    await assert.rejects(host.execute({ kind: 'action', name: 'a' }), is('UnknownCapability', /No action "a"/));
    await host.shutdown();
  });
  it('refuses an input that does not fit the schema', async () => {
    const host = await testPlugin(
      definePlugin({ tools: { a: { input: z.object({ n: z.number() }), execute: ({ n }) => n } } }),
    );
    await assert.rejects(host.execute('a', { n: 'x' }), is('InvalidParams', /^The input is not valid: n: /));
    await host.shutdown();
  });
  it('turns what a handler throws into the error of the call', async () => {
    const fail = (error: unknown) => ({
      execute: () => {
        throw error;
      },
    });
    const plugin = definePlugin({
      tools: {
        plain: fail(new Error('broken pump')),
        chosen: fail(new PluginError('full', { kind: 'quota_exceeded' })),
      },
    });
    const host = await testPlugin(plugin);
    await assert.rejects(host.execute('plain'), is('InternalError', /^broken pump$/));
    await assert.rejects(host.execute('chosen'), is('QuotaExceeded', /^full$/));
    await host.shutdown();
  });
  it('answers an error when the output is no JSON', async () => {
    const host = await testPlugin(definePlugin({ tools: { big: { execute: () => 1n } } }));
    await assert.rejects(host.execute('big'), (error) => error instanceof RpcError);
    await host.shutdown();
  });
  it('runs calls side by side', async () => {
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    const plugin = definePlugin({
      tools: { wait: { execute: () => held.then(() => 'late') }, go: { execute: () => release() } },
    });
    const host = await testPlugin(plugin);
    const late = host.execute('wait');
    await host.execute('go');
    assert.equal(await late, 'late');
    await host.shutdown();
  });
  it('proposes completions, as text or with a description, and none by default', async () => {
    const plugin = definePlugin({
      commands: {
        open: { execute: () => ({ exit_code: 0 }), complete: (text) => [`${text}1`, { value: 'x', description: 'd' }] },
        shut: { execute: () => ({ exit_code: 0 }) },
      },
    });
    const host = await testPlugin(plugin);
    assert.deepEqual(await host.complete('open', 'a'), [{ value: 'a1' }, { value: 'x', description: 'd' }]);
    assert.deepEqual(await host.complete('shut', 'a'), []);
    await host.shutdown();
  });
});

describe('a served plugin, between calls', () => {
  it('takes a new configuration, unless configure refuses it', async () => {
    const plugin = definePlugin({
      config: z.object({ level: z.number() }),
      configure: ({ level }) => {
        if (level > 9) throw new PluginError('level: at most 9', { kind: 'invalid_config' });
      },
      tools: { level: { execute: (_, { config }) => config.level } },
    });
    const host = await testPlugin(plugin, { config: { level: 1 } });
    await host.configure({ level: 2 });
    await assert.rejects(host.configure({ level: 10 }), is('InvalidConfig', /at most 9/));
    await assert.rejects(host.configure({}), is('InvalidConfig', /level: /));
    assert.equal(await host.execute('level'), 2);
    await host.shutdown();
  });
  it('hands events to every hook, gathers actions and stops at a veto', async () => {
    const act = { plugin: 'p', capability: 'c', input: 1 };
    const plugin = definePlugin({
      hooks: {
        first: () => ({ actions: [act] }),
        second: ({ type }) => (type === 'bad' ? { veto: { reason: 'no' } } : undefined),
      },
      handleEvent: () => ({ actions: [act] }),
    });
    const host = await testPlugin(plugin);
    assert.deepEqual(await host.sendEvent({ type: 'good' }), { actions: [act, act] });
    assert.deepEqual(await host.sendEvent({ type: 'bad' }), { veto: { reason: 'no' } });
    await host.shutdown();
  });
  it('answers messages, and MethodNotFound where nothing is defined', async () => {
    const plugin = definePlugin({ handleMessage: ({ kind, payload }) => [kind, payload] });
    const host = await testPlugin(plugin);
    assert.deepEqual(await host.sendMessage({ kind: 'query', payload: 1 }), ['query', 1]);
    await assert.rejects(host.sendEvent({ type: 'x' }), is('MethodNotFound', /./));
    await host.shutdown();
  });
  it('says what to do about a failed tool', async () => {
    const plugin = definePlugin({ onToolError: ({ attempt }) => ({ action: attempt < 3 ? 'retry' : 'propagate' }) });
    const host = await testPlugin(plugin);
    assert.ok(host.introduction.protocol?.features.includes('tool_recovery'));
    const failure = { capability: { kind: 'tool' as const, name: 'a' }, input: {}, error: {}, attempt: 3 };
    assert.deepEqual(await host.request('on_tool_error', failure), { action: 'propagate' });
    await host.shutdown();
  });
  it('runs stop once, at shutdown or when the host goes without asking', async () => {
    const reasons: string[] = [];
    const plugin = definePlugin({ stop: (reason) => void reasons.push(reason) });
    await (await testPlugin(plugin)).shutdown('update');
    const { host, closed } = rawHost(plugin);
    await host.call(pluginMethods.initialize, hello);
    host.close();
    await closed;
    assert.deepEqual(reasons, ['update', 'the host closed the connection']);
  });
});
