import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineSplitter, LineTail } from '../../../../packages/host/src/spawn/stderr-log.ts';

function split(bytesMax: number, chunks: readonly string[]): [string, boolean][] {
  const lines: [string, boolean][] = [];
  const splitter = new LineSplitter(bytesMax, (line, cut) => lines.push([line, cut]));
  for (const chunk of chunks) splitter.push(Buffer.from(chunk));
  splitter.end();
  return lines;
}

test('lines come out whole whatever the chunks are', () => {
  const expected: [string, boolean][] = [
    ['one', false],
    ['', false],
    ['zwei ü', false],
    ['end', false],
  ];
  assert.deepEqual(split(100, ['one\n\nzwei ü\r\nend']), expected);
  const bytes = [...Buffer.from('one\n\nzwei ü\r\nend')];
  const lines: [string, boolean][] = [];
  const splitter = new LineSplitter(100, (line, cut) => lines.push([line, cut]));
  for (const byte of bytes) splitter.push(Buffer.from([byte]));
  splitter.end();
  assert.deepEqual(lines, expected);
});

test('a line over the limit is cut once, and the next one is whole', () => {
  assert.deepEqual(split(4, ['abcdef', 'ghi\nxy\n', 'abcd\n']), [
    ['abcd', true],
    ['xy', false],
    ['abcd', false],
  ]);
});

test('the tail keeps the newest lines within its size', () => {
  const tail = new LineTail(12);
  for (const line of ['first', 'second', 'third']) tail.add(line);
  assert.equal(tail.text(), 'third');
  tail.add('four');
  assert.equal(tail.text(), 'third\nfour');
  tail.add('x'.repeat(50));
  assert.equal(tail.text(), 'x'.repeat(11));
});
