import assert from 'node:assert/strict';
import { test } from 'node:test';
import { excerpt } from '../../../../packages/host/src/display/excerpt.ts';

test('an excerpt shows the line and a caret under the column', () => {
  assert.equal(excerpt('a\nbc = 1\nd', 2, 4), '   2 | bc = 1\n     |    ^');
});

test('the caret stays in place behind tabs, escapes, accents and wide characters', () => {
  assert.equal(excerpt('\tx', 1, 2), '   1 |  x\n     |  ^');
  assert.equal(excerpt('\x1bx', 1, 2), '   1 | \\u{1b}x\n     |       ^');
  assert.equal(excerpt('日本x', 1, 3), '   1 | 日本x\n     |     ^');
  assert.equal(excerpt('a\u0335x', 1, 3), '   1 | a\u0335x\n     |  ^');
});

test('a long line is cut on both sides of the caret', () => {
  const [line = '', caret = ''] = excerpt(`${'a'.repeat(1000)}!${'b'.repeat(1000)}`, 1, 1001).split('\n');
  assert.equal(line, `   1 | …${'a'.repeat(50)}!${'b'.repeat(59)}…`);
  assert.equal(caret.indexOf('^'), line.indexOf('!'));
});

test('a place outside of the text gives the end of what there is', () => {
  assert.equal(excerpt('abc\r\n', 1, 99), '   1 | abc\n     |    ^');
  assert.equal(excerpt('abc', 7, 3), '   7 |\n     | ^');
});
