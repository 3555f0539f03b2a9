import assert from 'node:assert/strict';
import test from 'node:test';
import { applicationTypeProblem, pluginTypeProblem } from '../../../../packages/host/src/events/event-types.ts';
import { matchesGlob, typeMatcher } from '../../../../packages/host/src/events/glob.ts';

const isPlugin = (name: string): boolean => name === 'other' || name === 'acme/other';

test('a plugin speaks for itself, and about subjects that are nobody’s', () => {
  for (const type of ['mine.x', 'acme.x', 'weather.rain', 'mine.plugin.started', 'weather.rain_started-2']) {
    assert.equal(pluginTypeProblem(type, 'mine', isPlugin), undefined, type);
  }
  assert.equal(pluginTypeProblem('acme/mine.x', 'acme/mine', isPlugin), undefined);
});

test('a plugin cannot say what the host, the program or another plugin says', () => {
  const taken = ['before_commit', 'plugin.started', 'plugin.x', 'event.vetoed', 'host.x', 'mmm.x', 'other.x', 'mine'];
  for (const type of [...taken, 'acme/other.x', 'daemon.x']) {
    assert.match(pluginTypeProblem(type, 'mine', isPlugin) ?? '', /"mine\./, type);
  }
  for (const type of ['', '.', 'a..b', 'a b', 'a.*', 'a\n', `a.${'x'.repeat(200)}`, 'ä.b', '-a', 'a/']) {
    assert.match(pluginTypeProblem(type, 'mine', isPlugin) ?? '', /at most 200 characters/, type);
  }
});

test('a program says whatever it likes but what is the host’s own', () => {
  for (const type of ['before_commit', 'deploy.done', 'other.x']) {
    assert.equal(applicationTypeProblem(type), undefined, type);
  }
  for (const type of ['plugin.started', 'event.vetoed', 'a b']) {
    assert.notEqual(applicationTypeProblem(type), undefined, type);
  }
});

test('a star stands for any number of any characters, everything else for itself', () => {
  const table: readonly (readonly [string, string, boolean])[] = [
    ['*', 'anything.at.all', true],
    ['a.*', 'a.b.c', true],
    ['a.*', 'a.', true],
    ['a.*', 'a', false],
    ['a.*', 'ba.x', false],
    ['*.done', 'build.done', true],
    ['*.done', 'build.done.x', false],
    ['a*b*c', 'a-b-b-c', true],
    ['a*b*c', 'a-c-b', false],
    ['a*a', 'a', false],
    ['a.b', 'a.b', true],
    ['a.b', 'axb', false],
    ['a.+', 'a.+', true],
  ];
  for (const [glob, type, expected] of table) assert.equal(matchesGlob(glob, type), expected, `${glob} ${type}`);
  const matches = typeMatcher(['a.*', 'b']);
  assert.deepEqual(['a.x', 'b', 'c', 'a.x'].map(matches), [true, true, false, true]);
  assert.equal(typeMatcher([])('a'), false);
});

test('matching takes time linear in the text, whatever the glob', () => {
  const glob = `${'*a'.repeat(90)}b`;
  assert.equal(matchesGlob(glob, 'a'.repeat(100_000)), false);
});
