import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import {
  type DependentPlugin,
  dependencyReports,
  requirementsOf,
} from '../../../../packages/host/src/dependencies/requirements.ts';

/** `b ^1.0.0`, and `b? ^1.0.0` for an optional one. */
function plugin(id: string, needs: readonly string[] = [], more: Partial<DependentPlugin> = {}): DependentPlugin {
  const dependencies = needs.map((text) => {
    const [name = '', version = '*'] = text.split(' ');
    return { plugin: name.replace('?', ''), version, optional: name.endsWith('?') };
  });
  return { id, version: '1.0.0', enabled: true, dependencies, ...more };
}

function names(all: readonly DependentPlugin[]): string[] {
  const [root] = all;
  assert.ok(root !== undefined);
  return requirementsOf(root, (id) => all.find((one) => one.id === id)).map(({ plugin: id }) => id);
}

function refused(all: readonly DependentPlugin[]): MmmError {
  try {
    names(all);
  } catch (error) {
    assert.ok(error instanceof MmmError, String(error));
    return error;
  }
  assert.fail('it was not refused');
}

test('what a plugin requires is named in the order of its manifest', () => {
  assert.deepEqual(names([plugin('a', ['c', 'b ^1.0.0']), plugin('b'), plugin('c', ['b'])]), ['c', 'b']);
});

test('a plugin that is not there is named with the chain that leads to it', () => {
  const error = refused([plugin('a', ['b ^1.0.0']), plugin('b', ['c ^2.0.0'])]);
  assert.equal(error.code, 'DEPENDENCY_MISSING');
  assert.deepEqual(error.data, {
    plugin: 'a',
    dependency: 'c',
    range: '^2.0.0',
    found: null,
    reason: 'missing',
    chain: ['a', 'b', 'c'],
  });
  assert.equal(
    error.message,
    'Plugin "a" was not started: "b" needs "c" ^2.0.0, and there is no plugin "c" (a → b → c). Install it first.',
  );
});

test('a version outside of the range is named with the version that is there', () => {
  const error = refused([plugin('a', ['b ^2.0.0']), plugin('b')]);
  assert.ok(MmmError.is(error, 'DEPENDENCY_MISSING'));
  assert.equal(error.data.reason, 'version');
  assert.match(error.message, /"a" needs "b" \^2\.0\.0, and version 1\.0\.0 is there\./);
});

test('a prerelease fits only a range that names one', () => {
  const beta = plugin('b', [], { version: '1.2.0-beta.1' });
  assert.equal(refused([plugin('a', ['b ^1.0.0']), beta]).code, 'DEPENDENCY_MISSING');
  assert.deepEqual(names([plugin('a', ['b ^1.2.0-beta.0']), beta]), ['b']);
});

test('a range that is none is said to be none', () => {
  assert.match(refused([plugin('a', ['b banana']), plugin('b')]).message, /"banana", which is no range of versions/);
});

test('a disabled plugin is named with the command that enables it', () => {
  const error = refused([plugin('a', ['b']), plugin('b', [], { enabled: false })]);
  assert.match(error.message, /which is disabled\. Run: mmm plugin enable b$/);
});

for (const [all, chain] of [
  [[plugin('a', ['a'])], ['a', 'a']],
  [
    [plugin('a', ['b']), plugin('b', ['a'])],
    ['a', 'b', 'a'],
  ],
  [
    [plugin('a', ['b']), plugin('b', ['c']), plugin('c', ['b'])],
    ['a', 'b', 'c', 'b'],
  ],
] as const) {
  test(`the circle ${chain.join(' → ')} is named`, () => {
    const error = refused(all);
    assert.equal(error.code, 'DEPENDENCY_CYCLE');
    assert.deepEqual(error.data, { plugin: 'a', chain });
    assert.ok(error.message.includes(chain.join(' → ')), error.message);
  });
}

test('two ways to one plugin are no circle', () => {
  assert.deepEqual(names([plugin('a', ['b', 'c']), plugin('b', ['d']), plugin('c', ['d']), plugin('d')]), ['b', 'c']);
});

test('an optional plugin that cannot be had is left out, whatever is in the way', () => {
  const a = plugin('a', ['b?', 'c? ^2.0.0', 'd?', 'e?', 'f?']);
  const broken = plugin('e', ['g']);
  assert.deepEqual(names([a, plugin('c'), plugin('d', ['a']), broken, plugin('f')]), ['f']);
});

test('an optional requirement is what breaks a circle', () => {
  assert.deepEqual(names([plugin('a', ['b']), plugin('b', ['a?'])]), ['b']);
});

test('a report names each dependency with what was found', () => {
  const all = [plugin('a', ['b', 'c? ^2.0.0', 'd']), plugin('b'), plugin('c'), plugin('d', ['e'])];
  const reports = dependencyReports(all[0] as DependentPlugin, (id) => all.find((one) => one.id === id));
  assert.deepEqual(
    reports.map(({ plugin: id, status, found, chain }) => ({ id, status, found, chain })),
    [
      { id: 'b', status: 'ready', found: '1.0.0', chain: ['b'] },
      { id: 'c', status: 'version', found: '1.0.0', chain: ['a', 'c'] },
      { id: 'd', status: 'missing', found: '1.0.0', chain: ['a', 'd', 'e'] },
    ],
  );
  assert.equal(reports[0]?.sentence, '');
  assert.match(reports[2]?.sentence ?? '', /"d" needs "e"/);
});

test('many ways through few plugins are looked at once', () => {
  const layers = Array.from({ length: 60 }, (_, index) => index);
  const all = layers.flatMap((layer) => {
    const next = layer === layers.length - 1 ? [] : [`l${layer + 1}`, `r${layer + 1}`];
    return [plugin(`l${layer}`, next), plugin(`r${layer}`, next)];
  });
  assert.deepEqual(names([plugin('a', ['l0', 'r0']), ...all]), ['l0', 'r0']);
});
