// Run with: node --test
const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const { join } = require('node:path');
const { test } = require('node:test');

const folder = join(__dirname, '..');

/** What the plugin answers to one call, as a host would make it: one JSON message a line. */
function call(input, context = {}) {
  const plugin = { id: 'my_plugin', version: '0.1.0', directory: folder, data_directory: folder };
  const host = { name: 'test', version: '1.0.0' };
  const caller = { caller: { kind: 'host', id: 'test' }, timestamp: '2026-01-01T00:00:00.000Z', deadline_ms: 1000 };
  const messages = [
    {
      method: 'initialize',
      params: { protocol: { version: 1 }, host, plugin, config: {}, permissions: {}, locale: 'en' },
    },
    {
      method: 'execute',
      params: { capability: { kind: 'action', name: 'greet' }, input, context: { ...caller, ...context } },
    },
  ];
  const lines = messages.map((message, id) => JSON.stringify({ jsonrpc: '2.0', id, ...message }));
  const { stdout, stderr } = spawnSync(process.execPath, [join(folder, 'main.cjs')], {
    input: `${lines.join('\n')}\n`,
    encoding: 'utf8',
  });
  const reply = stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line))
    .find(({ id }) => id === 1);
  assert.ok(reply, `the plugin did not answer: ${stderr}`);
  return reply.error ?? reply.result.output;
}

test('greets by name', () => {
  assert.equal(call({ name: 'Ada' }), 'Hello, Ada!');
});

test('is loud when the key was struck hard', () => {
  assert.equal(call({ name: 'Ada' }, { velocity: 127 }), 'HELLO, ADA!');
});
