import assert from 'node:assert/strict';
import { test } from 'node:test';
import { manifest } from '@mmm/protocol';

const smallest = {
  schema: 1,
  plugin: {
    name: 'shout',
    version: '1.0.0',
    description: 'Says it louder',
    license: 'MIT',
    command: ['python3', '-u', 'shout.py'],
  },
};

/** The issues of a manifest as `path: message` lines, `ok` when there is none. */
function issuesOf(value: unknown): string {
  const result = manifest.safeParse(value);
  if (result.success) return 'ok';
  return result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('\n');
}

function withPlugin(fields: Record<string, unknown>) {
  return { ...smallest, plugin: { ...smallest.plugin, ...fields } };
}

function withCapabilities(...capabilities: Record<string, unknown>[]) {
  return { ...smallest, capabilities };
}

test('a manifest of the required keys gets every default', () => {
  const parsed = manifest.parse(smallest);
  assert.equal(parsed.plugin.mmm, '>=0');
  assert.deepEqual(parsed.plugin.protocol, [1]);
  assert.equal(parsed.plugin.runtime, 'executable');
  assert.equal(parsed.plugin.framing, 'ndjson');
  assert.equal(parsed.plugin.sandbox, 'process');
  assert.equal(parsed.plugin.standby, 'off');
  assert.deepEqual([parsed.plugin.exclusive, parsed.plugin.important], [false, false]);
  assert.deepEqual(parsed.capabilities, []);
  assert.deepEqual(parsed.permissions, {});
  assert.equal(parsed.limits.concurrency, 64);
  assert.equal(parsed.restart.policy, 'on_failure');
});

test('the example of the design is a valid manifest', () => {
  const example = {
    schema: 1,
    plugin: {
      name: 'http_request',
      version: '1.0.0',
      description: 'Make HTTP requests as actions',
      license: 'MIT',
      mmm: '^1.0',
      runtime: 'node',
      command: ['node', 'dist/plugin.cjs'],
    },
    capabilities: [{ kind: 'action', name: 'http_request', input: 'schemas/request.json' }],
    permissions: { network: [{ host: 'api.example.com:443', reason: 'Sends your webhook' }] },
    config: { schema: 'config.schema.json' },
  };
  assert.equal(issuesOf(example), 'ok');
});

for (const key of ['name', 'version', 'description', 'license']) {
  test(`a manifest without ${key} is refused`, () => {
    const { [key as 'name']: _, ...rest } = smallest.plugin;
    assert.match(issuesOf({ ...smallest, plugin: rest }), new RegExp(`^plugin\\.${key}: `, 'm'));
  });
}

for (const name of ['a', 'http_request', 'text-tools', 'a1_b2-c3', 'acme/http_request']) {
  test(`"${name}" is a plugin name`, () => {
    assert.equal(issuesOf(withPlugin({ name })), 'ok');
  });
}

for (const name of ['', 'A', '1a', '_a', 'a_', 'a__b', 'a b', 'a/b/c', '/a', 'a/', '../a', 'é', 'a.b', 'a\n']) {
  test(`${JSON.stringify(name)} is no plugin name`, () => {
    assert.match(issuesOf(withPlugin({ name })), /^plugin\.name: /m);
  });
}

for (const version of ['1.0.0', '0.0.0', '1.2.3-rc.1', '1.2.3-0a', '1.2.3+build.5', '10.20.30-alpha-1.x+y']) {
  test(`"${version}" is a version`, () => {
    assert.equal(issuesOf(withPlugin({ version })), 'ok');
  });
}

for (const version of ['1', '1.0', 'v1.0.0', '01.0.0', '1.0.0-', '1.0.0-01', '1.0.0+', '1.0.0-a..b', ' 1.0.0']) {
  test(`"${version}" is no version`, () => {
    assert.match(issuesOf(withPlugin({ version })), /^plugin\.version: /m);
  });
}

for (const icon of ['/icon.png', '../icon.png', 'a/../../b', 'a//b', 'a/', '.', 'a\\b', 'a\u0000b', 'é.png']) {
  test(`${JSON.stringify(icon)} is no path inside a bundle`, () => {
    assert.match(issuesOf(withPlugin({ icon })), /^plugin\.icon: /m);
  });
}

test('unknown keys are refused at every level and named', () => {
  assert.match(issuesOf({ ...smallest, plugins: {} }), /"plugins"/);
  assert.match(issuesOf(withPlugin({ verson: '1.0.0' })), /"verson"/);
  assert.match(issuesOf(withCapabilities({ kind: 'tool', name: 'a', inptu: 'x.json' })), /"inptu"/);
  assert.match(issuesOf({ ...smallest, permissions: { networks: [] } }), /"networks"/);
  assert.match(issuesOf({ ...smallest, permissions: { network: [{ host: 'a', port: 1 }] } }), /"port"/);
  assert.match(issuesOf({ ...smallest, limits: { memory: 1 } }), /"memory"/);
});

test('another schema number is refused', () => {
  assert.match(issuesOf({ ...smallest, schema: 2 }), /^schema: /);
});

test('a command is required, but for plugins of nothing but prompt templates', () => {
  const { command: _, ...plugin } = smallest.plugin;
  const template = { kind: 'prompt', name: 'greet', template: 'Say hello to {{name}}.' };
  assert.match(issuesOf({ ...smallest, plugin }), /^plugin\.command: is required/);
  assert.equal(issuesOf({ schema: 1, plugin, capabilities: [template] }), 'ok');
  const mixed = [template, { kind: 'tool', name: 'a' }];
  assert.match(issuesOf({ schema: 1, plugin, capabilities: mixed }), /^plugin\.command: is required/);
  const computed = [{ kind: 'prompt', name: 'greet' }];
  assert.match(issuesOf({ schema: 1, plugin, capabilities: computed }), /^plugin\.command: is required/);
});

test('a target of one platform can bring the command', () => {
  const { command: _, ...plugin } = smallest.plugin;
  const targets = { 'linux-x64': { command: ['bin/shout'] } };
  assert.equal(issuesOf({ schema: 1, plugin, targets }), 'ok');
  assert.match(issuesOf({ schema: 1, plugin, targets: { linux: { command: ['a'] } } }), /targets/);
});

test('a name or alias that stands twice for one kind is refused where it is repeated', () => {
  const tool = { kind: 'tool', name: 'add' };
  assert.equal(issuesOf(withCapabilities(tool, { kind: 'command', name: 'add' })), 'ok');
  assert.equal(issuesOf(withCapabilities(tool, { ...tool })), 'capabilities.1.name: repeats the tool "add"');
  assert.equal(
    issuesOf(withCapabilities(tool, { kind: 'tool', name: 'sum', aliases: ['plus', 'add'] })),
    'capabilities.1.aliases.1: repeats the tool "add"',
  );
});

test('an input schema is a file of the bundle or the schema itself', () => {
  for (const input of ['schemas/in.json', { type: 'object' }]) {
    assert.equal(issuesOf(withCapabilities({ kind: 'tool', name: 'a', input })), 'ok');
  }
  assert.notEqual(issuesOf(withCapabilities({ kind: 'tool', name: 'a', input: '../in.json' })), 'ok');
});

test('limits have bounds', () => {
  assert.equal(issuesOf({ ...smallest, limits: { message_mb: 64, start_timeout_s: 120 } }), 'ok');
  assert.match(issuesOf({ ...smallest, limits: { message_mb: 65 } }), /^limits\.message_mb: /);
  assert.match(issuesOf({ ...smallest, limits: { concurrency: 0 } }), /^limits\.concurrency: /);
});
