import assert from 'node:assert/strict';
import { test } from 'node:test';
import { checkPath } from '@mmm/bundle';
import { findCollision, printablePath } from '../../../packages/bundle/src/path-rules.ts';

const refused = [
  '',
  '/etc/passwd',
  'a//b',
  'a/',
  '.',
  '..',
  '../x',
  'a/../b',
  './a',
  'a/.',
  'C:\\x',
  'a\\b',
  'a:b',
  'a*',
  'a?',
  '"a"',
  '<a',
  'a>',
  'a|b',
  'con',
  'CON',
  'con.txt',
  'a/NUL',
  'aux.tar.gz',
  'com1',
  'lpt9.x',
  'con .txt',
  'CONIN$',
  'a.',
  'a ',
  'a./b',
  'a /b',
  'a\0',
  'a\n',
  'a\u001b[0m',
  'caf\u00e9',
  'cafe\u0301',
  '\u0430',
  'a\u202eb',
  'x'.repeat(201),
  'x'.repeat(101),
  `${'x'.repeat(60)}/${'y'.repeat(100)}/${'z'.repeat(30)}`,
  Array.from({ length: 17 }, () => 'a').join('/'),
  '.mmm/x',
  '.MMM/x',
  '.Mmm',
];
const accepted = [
  'plugin.toml',
  'a/b/c',
  '.env',
  '.github/x',
  'a b',
  'console',
  'com10',
  'a..b',
  '...a',
  "it's",
  'a/.mmm',
  '__proto__',
  'x'.repeat(100),
  `${'x'.repeat(90)}/${'y'.repeat(50)}/${'z'.repeat(58)}`,
];

for (const path of refused) {
  test(`refuses ${JSON.stringify(path.slice(0, 40))}`, () => assert.equal(typeof checkPath(path), 'string'));
}
for (const path of accepted) {
  test(`accepts ${JSON.stringify(path.slice(0, 40))}`, () => assert.equal(checkPath(path), undefined));
}

test('finds files, folders, and a file in the place of a folder, that differ in nothing but case', () => {
  assert.equal(findCollision(['A', 'a'])?.path, 'a');
  assert.equal(findCollision(['a/B', 'a/b'])?.path, 'a/b');
  assert.equal(findCollision(['A/x', 'a/y'])?.path, 'a/y');
  assert.equal(findCollision(['x/A/1', 'x/a/2'])?.path, 'x/a/2');
  assert.equal(findCollision(['a', 'A/b'])?.path, 'a');
  assert.equal(findCollision(['a', 'a/b'])?.path, 'a');
});

test('lets different paths be', () => assert.equal(findCollision(['a/b', 'a/c', 'ab', 'b']), undefined));

test('shows what a terminal or a reader would be fooled by', () => {
  assert.equal(printablePath('a\u001b[2J\u202e\n'), 'a\\u{1b}[2J\\u{202e}\\u{a}');
});
