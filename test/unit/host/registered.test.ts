import assert from 'node:assert/strict';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { createHost, type ExecuteOptions, type Host } from '@mmm/host';
import { definePlugin, serve as serveWithSdk } from '@mmm/plugin-sdk';
import { type ManifestInput, MmmError } from '@mmm/protocol';
import type { Transport } from '@mmm/rpc';
import { tempFolder } from '../../support/temp-folder.ts';

const manifest: ManifestInput = {
  schema: 1,
  plugin: { name: 'inside', version: '1.0.0', description: 'Part of the program', license: 'MIT' },
  capabilities: [{ kind: 'tool', name: 'double', input: { type: 'number' } }],
};

/** Speaks raw lines, as any plugin may. */
function serve({ input, output }: Transport): void {
  createInterface({ input }).on('line', (line) => {
    const { id, method, params } = JSON.parse(line) as { id?: number; method: string; params: { input: number } };
    if (id === undefined) return;
    if (params.input === 13) output.end();
    else
      output.write(
        `${JSON.stringify({ jsonrpc: '2.0', id, result: method === 'execute' ? { output: params.input * 2 } : {} })}\n`,
      );
  });
}

async function openHost(t: TestContext): Promise<Host> {
  const host = await createHost({ home: `${tempFolder(t)}/home` });
  t.after(() => host.close());
  return host;
}

test('a registered plugin is called over the same protocol, checked and counted like any other', async (t) => {
  const host = await openHost(t);
  const plugin = await host.register({ manifest, serve });
  assert.equal((await plugin.execute('double', 21)).output, 42);
  await assert.rejects(plugin.execute('double', 'x'), (error) => MmmError.is(error, 'INPUT_INVALID'));
  assert.equal((await host.statistics('inside')).executions, 1);
  const [summary] = await host.list();
  assert.deepEqual(
    [summary?.id, summary?.origin, summary?.trust.kind, summary?.state],
    ['inside', 'registered', 'registered', 'running'],
  );
  assert.equal(await plugin.ping(), true);
});

test('a registered plugin that ends its stream fails the call, and the next call opens a new session', async (t) => {
  const host = await openHost(t);
  const plugin = await host.register({ manifest, serve });
  await assert.rejects(plugin.execute('double', 13), (error) => MmmError.is(error, 'PLUGIN_EXITED'));
  plugin.reset();
  assert.equal((await plugin.execute('double', 1)).output, 2);
});

test('a name is registered once, and unregistering takes it away', async (t) => {
  const host = await openHost(t);
  await host.register({ manifest, serve });
  await assert.rejects(host.register({ manifest, serve }), (error) => MmmError.is(error, 'PLUGIN_NAME_TAKEN'));
  await host.unregister('inside');
  await assert.rejects(host.plugin('inside'), (error) => MmmError.is(error, 'PLUGIN_NOT_FOUND'));
  await assert.rejects(host.unregister('inside'), (error) => MmmError.is(error, 'PLUGIN_NOT_FOUND'));
});

test('a registered manifest is checked like a file', async (t) => {
  const host = await openHost(t);
  const wrong = { ...manifest, plugin: { ...manifest.plugin, version: 'one' } };
  await assert.rejects(host.register({ manifest: wrong, serve }), (error) => {
    assert.ok(MmmError.is(error, 'MANIFEST_INVALID'));
    assert.match(error.message, /plugin\.version/);
    return true;
  });
  const { plugin: facts, ...rest } = manifest;
  const slips: readonly [unknown, RegExp][] = [
    [rest, /not valid: plugin\.name is required; /],
    [{ ...manifest, capabilites: [] }, /not valid: capabilites is not a known field; did you mean capabilities\?\.$/],
    [{ ...manifest, plugin: { ...facts, license: 1 } }, /not valid: plugin\.license must be string\.$/],
  ];
  for (const [slip, sentence] of slips) {
    await assert.rejects(host.register({ manifest: slip as ManifestInput, serve }), (error) => {
      assert.ok(MmmError.is(error, 'MANIFEST_INVALID'), String(error));
      assert.match(error.message, sentence);
      return true;
    });
  }
});

test('a closed host says so', async (t) => {
  const host = await openHost(t);
  const plugin = await host.register({ manifest, serve });
  await plugin.start();
  await host.close();
  assert.equal(plugin.state.kind, 'stopped');
  await assert.rejects(plugin.execute('double', 1), (error) => MmmError.is(error, 'HOST_CLOSED'));
  await assert.rejects(host.list(), (error) => MmmError.is(error, 'HOST_CLOSED'));
});

test('a call gets only deadlines and options that mean something', async (t) => {
  const host = await openHost(t);
  const plugin = await host.register({ manifest, serve });
  const refused = async (options: unknown, path: string): Promise<void> =>
    assert.rejects(plugin.execute('double', 1, options as ExecuteOptions), (error) => {
      assert.ok(MmmError.is(error, 'CONFIG_INVALID'), String(error));
      assert.equal(error.data.issues[0]?.path, path);
      return true;
    });
  for (const timeoutMs of [0, -1, Number.NaN, Number.POSITIVE_INFINITY, '5', null]) {
    await refused({ timeoutMs }, 'options.timeoutMs');
  }
  await refused({ timeout: 5 }, 'options.timeout');
  await refused({ signal: {} }, 'options.signal');
  await refused({ onProgress: 'print' }, 'options.onProgress');
  await refused(null, 'options');
  await assert.rejects(plugin.execute(undefined as never, 1), (error) => MmmError.is(error, 'CONFIG_INVALID'));
  await assert.rejects(plugin.complete('double', 1 as never), (error) => MmmError.is(error, 'CONFIG_INVALID'));
  assert.throws(
    () => plugin.changes(undefined as never),
    (error) => MmmError.is(error, 'CONFIG_INVALID'),
  );
  assert.equal((await host.statistics('inside')).executions, 0);
  const { output } = await plugin.execute<number>('double', 2, { timeoutMs: 5_000 });
  assert.equal(output.toFixed(1), '4.0');
});

test('the state of a plugin holds facts and nothing of the host', async (t) => {
  const host = await openHost(t);
  const plugin = await host.register({ manifest, serve });
  const done = new AbortController();
  const states = plugin.changes(done.signal);
  await plugin.start();
  assert.deepEqual(Object.keys(plugin.state), ['kind', 'sinceMs', 'pid']);
  await plugin.stop();
  done.abort();
  const seen: string[] = [];
  for await (const state of states) seen.push(JSON.stringify(Object.keys(state)));
  assert.deepEqual(
    seen.filter((keys) => keys.includes('session')),
    [],
  );
});

test('an answer that comes while the host closes reaches its caller', async (t) => {
  const host = await openHost(t);
  let closing: Promise<void> | undefined;
  const plugin = await host.register({
    manifest,
    serve: ({ input, output }) => {
      createInterface({ input }).on('line', (line) => {
        const { id, method } = JSON.parse(line) as { id?: number; method: string };
        if (method === 'execute') closing = host.close();
        const result = method === 'execute' ? { output: 'last words' } : {};
        if (id !== undefined) output.write(`${JSON.stringify({ jsonrpc: '2.0', id, result })}\n`);
      });
    },
  });
  assert.equal((await plugin.execute('double', 1)).output, 'last words');
  await closing;
});

test('a plugin that does not know of a prompt with a template does not hide it', async (t) => {
  const host = await openHost(t);
  const prompt = { kind: 'prompt', name: 'greet', template: 'Hello {{name}}' } as const;
  const program = definePlugin({ name: 'inside', version: '1.0.0', tools: { double: { execute: () => 2 } } });
  const plugin = await host.register({
    manifest: { ...manifest, capabilities: [...(manifest.capabilities ?? []), prompt] },
    serve: (transport) => void serveWithSdk(program, transport),
  });
  assert.equal((await plugin.execute('double', 1)).output, 2);
  const outcome = await plugin.execute('prompt:greet', { variables: {} }).catch((error: unknown) => error);
  assert.ok(!MmmError.is(outcome, 'CAPABILITY_NOT_FOUND'), String(outcome));
});
