import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ManifestInput, MmmError, manifest } from '@mmm/protocol';
import { checkCompatible, commandFor } from '../../../../packages/host/src/discover/compatible.ts';

const host = { version: '1.4.0', protocols: [1], platform: 'linux-x64' };
const plugin = { name: 'a', version: '2.0.0', description: 'A', license: 'MIT', command: ['a'] };

function check(changes: Partial<ManifestInput['plugin']>, rest: Partial<ManifestInput> = {}, on = host): string {
  const read = manifest.parse({ schema: 1, plugin: { ...plugin, ...changes }, ...rest });
  try {
    checkCompatible(read, on);
    return 'fits';
  } catch (error) {
    assert.ok(MmmError.is(error, 'PLUGIN_INCOMPATIBLE'));
    for (const part of [error.data.plugin, error.data.needs, error.data.has]) assert.ok(error.message.includes(part));
    return `needs ${error.data.needs}, has ${error.data.has}`;
  }
}

for (const range of ['^1.0', '>=1 <2', '1.x', '*', '>=0', '^0.9 || ^1.2']) {
  test(`a plugin for mmm ${range} fits 1.4.0`, () => assert.equal(check({ mmm: range }), 'fits'));
}
for (const range of ['^2.0', '<1.4', '~1.3.0', '^1.5']) {
  test(`a plugin for mmm ${range} does not fit 1.4.0, and both are named`, () => {
    assert.equal(check({ mmm: range }), `needs mmm ${range}, has mmm 1.4.0`);
  });
}

test('a prerelease of the host counts as the version it leads to', () => {
  assert.equal(check({ mmm: '^1.0' }, {}, { ...host, version: '1.5.0-beta.1' }), 'fits');
  assert.equal(check({ mmm: '^2.0' }, {}, { ...host, version: '2.0.0-rc.1' }), 'fits');
});

test('one common protocol version is enough', () => {
  assert.equal(check({ protocol: [2, 1] }), 'fits');
  assert.equal(check({ protocol: [2, 3] }), 'needs protocol version 2 or 3, has an mmm that speaks protocol version 1');
});

test('a plugin without a program for this platform does not fit', () => {
  const { command: _, ...withoutCommand } = plugin;
  const targets = { 'darwin-arm64': { command: ['m'] }, 'linux-arm64': { command: ['l'] } };
  const read = manifest.parse({ schema: 1, plugin: withoutCommand, targets });
  assert.throws(() => checkCompatible(read, host), /needs darwin-arm64 or linux-arm64, and this is linux-x64/);
  assert.equal(check({}, { targets }), 'fits');
});

test('the command of the platform comes before the general one', () => {
  const read = manifest.parse({ schema: 1, plugin, targets: { 'linux-x64': { command: ['l'] } } });
  assert.deepEqual(commandFor(read, 'linux-x64'), ['l']);
  assert.deepEqual(commandFor(read, 'win32-x64'), ['a']);
  assert.deepEqual(commandFor(read, 'constructor'), ['a']);
});
