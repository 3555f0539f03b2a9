import assert from 'node:assert/strict';
import { test } from 'node:test';
import { suggest } from '../../../../packages/host/src/source/suggest.ts';

const known = ['name', 'version', 'display_name', 'permissions', 'cpu', 'max'];

const cases: readonly (readonly [word: string, meant: string | undefined])[] = [
  ['versoin', 'version'],
  ['verson', 'version'],
  ['verrsion', 'version'],
  ['versian', 'version'],
  ['persmision', undefined],
  ['permisions', 'permissions'],
  ['Name', 'name'],
  ['display-name', 'display_name'],
  ['displayname', 'display_name'],
  ['nam', 'name'],
  ['nme', 'name'],
  ['cup', 'cpu'],
  ['mix', 'max'],
  ['mem', undefined],
  ['color', undefined],
  ['', undefined],
  ['name', undefined],
  ['v'.repeat(65), undefined],
];

for (const [word, meant] of cases) {
  test(`suggest: "${word}" gives ${meant ?? 'nothing'}`, () => assert.equal(suggest(word, known), meant));
}

test('suggest gives the nearest candidate and, of equals, the first', () => {
  assert.equal(suggest('start', ['stat', 'starts', 'smart']), 'stat');
  assert.equal(suggest('logs_', ['log', 'logs']), 'logs');
});
