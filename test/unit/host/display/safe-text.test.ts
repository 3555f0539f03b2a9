import assert from 'node:assert/strict';
import { test } from 'node:test';
import { safeLines, safeText } from '../../../../packages/host/src/display/safe-text.ts';

const cases: readonly (readonly [name: string, text: string, shown: string])[] = [
  ['plain text stays', 'GET /a?b=c \\ "d"', 'GET /a?b=c \\ "d"'],
  ['letters of other scripts and emoji stay', 'Grüße 日本語 שלום 🎛', 'Grüße 日本語 שלום 🎛'],
  ['a screen clear is escaped', 'a\x1b[2Jb', 'a\\u{1b}[2Jb'],
  ['a window title is escaped', 'a\x1b]0;pwn\x07b', 'a\\u{1b}]0;pwn\\u{7}b'],
  ['a one-byte control sequence is escaped', 'a\x9b2Jb', 'a\\u{9b}2Jb'],
  ['a carriage return cannot overwrite', 'deny\rallow', 'deny\\u{d}allow'],
  ['backspaces cannot erase', 'abc\b\bX', 'abc\\u{8}\\u{8}X'],
  ['a line end cannot fake a question', 'x\nAllow? [y] y', 'x\\u{a}Allow? [y] y'],
  ['a tab is escaped', 'a\tb', 'a\\u{9}b'],
  ['reordering marks are escaped', 'user\u202etxt.exe', 'user\\u{202e}txt.exe'],
  ['isolates are escaped', '\u2066x\u2069', '\\u{2066}x\\u{2069}'],
  ['a zero-width space is escaped', 'pay\u200bpal', 'pay\\u{200b}pal'],
  ['an invisible letter is escaped', 'a\u3164b\u115fc\u2800d', 'a\\u{3164}b\\u{115f}c\\u{2800}d'],
  ['tag characters are escaped', 'a\u{e0041}', 'a\\u{e0041}'],
  ['a no-break space is escaped', 'a\u00a0b', 'a\\u{a0}b'],
  ['line and paragraph separators are escaped', 'a\u2028b\u2029c', 'a\\u{2028}b\\u{2029}c'],
  ['half a surrogate pair is escaped', 'a\ud800b', 'a\\u{d800}b'],
  ['private use is escaped', 'a\ue000', 'a\\u{e000}'],
  ['a letter and its accent become one', 'e\u0301', 'é'],
];

for (const [name, text, shown] of cases) {
  test(`safe text: ${name}`, () => assert.equal(safeText(text), shown));
}

test('safe text is cut at the maximum and says so', () => {
  assert.equal(safeText('a'.repeat(201)), `${'a'.repeat(200)}…`);
  assert.equal(safeText('a'.repeat(200)), 'a'.repeat(200));
  assert.equal(safeText('🎛'.repeat(6), 5), `${'🎛'.repeat(5)}…`);
});

test('an escape is never cut in half', () => {
  assert.equal(safeText('abc\x1b[2J', 6), 'abc…');
});

test('letters cannot grow over the lines above by piling up marks', () => {
  const shown = safeText(`a${'\u0335'.repeat(50)}`, 1000);
  assert.equal((shown.match(/\u0335/g) ?? []).length, 4);
});

test('a megabyte of marks is cut, not worked through', () => {
  assert.ok(safeText('\u0335'.repeat(1_000_000)).length <= 201);
});

test('safe lines keep the last lines and their ends', () => {
  assert.equal(safeLines('one\ntwo\x1b[2J\r\nthree\n', 2), 'two\\u{1b}[2J\nthree');
  assert.equal(safeLines(''), '');
});
