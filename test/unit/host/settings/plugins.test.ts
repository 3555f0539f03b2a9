import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pluginsSection } from '../../../../packages/host/src/settings/plugins.ts';

const tool = [{ kind: 'tool', name: 'run' }];

function problems(...entries: object[]): readonly string[] {
  const parsed = pluginsSection.safeParse(entries);
  return parsed.success ? [] : parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`);
}

test('a folder, or a program that repeats its name, is a plugin to be listed', () => {
  assert.deepEqual(problems({ name: 'pet', path: '/srv/pet' }), []);
  assert.deepEqual(problems({ name: 'pet', path: '/srv/pet', allow_unsigned: 'pet', start: true }), []);
  const program = { name: 'cat', command: ['python3', '/srv/cat.py'], allow_unsigned: 'cat', capabilities: tool };
  assert.deepEqual(problems({ name: 'pet', path: '/srv/pet' }, program), []);
  const grant = ['filesystem=read:/srv', 'network=api.example.com:443'];
  assert.deepEqual(problems({ name: 'pet', path: '/srv/pet', grant }), []);
});

test('what is said twice, by half or for another plugin is refused', () => {
  assert.match(problems({ name: 'pet' })[0] ?? '', /^0\.path must be given, or else a command; not both/);
  assert.match(problems({ name: 'pet', path: '/a', command: ['b'], allow_unsigned: 'pet' })[0] ?? '', /not both/);
  assert.match(problems({ name: 'pet', path: 'here' })[0] ?? '', /absolute path/);
  assert.match(problems({ name: 'pet', path: '/a', allow_unsigned: 'cat' })[0] ?? '', /must repeat the name, "pet"/);
  assert.match(problems({ name: 'pet', path: '/a' }, { name: 'pet', path: '/b' })[0] ?? '', /listed twice/);
  assert.match(problems({ name: 'pet', path: '/a', capabilities: tool })[0] ?? '', /its manifest has them/);
  const asked = { network: [{ host: 'api.example.com:443', reason: 'r' }] };
  assert.match(problems({ name: 'pet', path: '/a', permissions: asked })[0] ?? '', /To grant some, use grant/);
});

test('a program is never taken as signed, and says what it offers', () => {
  const program = { name: 'cat', command: ['cat'] };
  assert.match(problems({ ...program, capabilities: tool })[0] ?? '', /cannot be signed/);
  assert.match(problems({ ...program, allow_unsigned: 'cat' })[0] ?? '', /must say what the program offers/);
});

test('what is granted is spelt exactly, so that it is what it looks like', () => {
  assert.match(problems({ name: 'pet', path: '/a', grant: ['everything'] })[0] ?? '', /0\.grant\.0 is no permission/);
  assert.match(problems({ name: 'pet', path: '/a', grant: ['network=API.example.com:443'] })[0] ?? '', /0\.grant\.0 /);
});
