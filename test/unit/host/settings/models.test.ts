import assert from 'node:assert/strict';
import { test } from 'node:test';
import { modelsSection, routeOf } from '../../../../packages/host/src/settings/models.ts';

test('an exact name counts before the longest beginning, and that before the default', () => {
  const section = modelsSection.parse({
    default: 'a',
    routes: { 'big-*': 'b', 'big-one-*': 'c:large', 'big-one-1': 'd' },
  });
  assert.equal(routeOf('big-one-1', section), 'd');
  assert.equal(routeOf('big-one-2', section), 'c:large');
  assert.equal(routeOf('big-2', section), 'b');
  assert.equal(routeOf('small', section), 'a');
  assert.equal(routeOf(undefined, section), 'a');
  assert.equal(routeOf('constructor', section), 'a');
  assert.equal(routeOf('big', undefined), undefined);
});

test('what is no plugin is refused when the file is read', () => {
  assert.equal(modelsSection.safeParse({ default: 'Not A Plugin' }).success, false);
  assert.equal(modelsSection.safeParse({ routes: { x: 'p:' } }).success, false);
});
