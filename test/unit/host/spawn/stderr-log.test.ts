import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LineSplitter, LineTail } from '../../../../packages/host/src/spawn/stderr-log.ts';

function split(bytesMax: number, chunks: readonly string[]): [string, boolean][] {
  const lines: [string, boolean][] = [];
  const splitter = new LineSplitter(bytesMax, { line: (line, cut) => lines.push([line, cut]) });
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
  const splitter = new LineSplitter(100, { line: (line, cut) => lines.push([line, cut]) });
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

test('lines over the rate are counted, and the one that follows them is whole', () => {
  const lines: string[] = [];
  const dropped: [number, string][] = [];
  let left = 2;
  const splitter = new LineSplitter(100, {
    line: (line) => lines.push(line),
    admits: () => left-- > 0,
    dropped: (count, bytes) => dropped.push([count, bytes.toString()]),
  });
  splitter.push(Buffer.from('one\ntwo\nthree\n\nfive\nsi'));
  left = 1;
  splitter.push(Buffer.from('x\nseven\neight'));
  splitter.end();
  assert.deepEqual(lines, ['one', 'two', 'six']);
  assert.deepEqual(dropped, [
    [3, 'three\n\nfive'],
    [1, 'seven'],
    [1, 'eight'],
  ]);
});

test('splitting stops where the time is over and goes on from there', () => {
  const lines: string[] = [];
  const splitter = new LineSplitter(100, { line: (line) => lines.push(line) });
  const chunk = Buffer.from('one\ntwo\nthree');
  const taken = splitter.push(chunk, () => true);
  assert.deepEqual([taken, lines], [4, ['one']]);
  assert.equal(splitter.push(chunk.subarray(taken)), 9);
  splitter.end();
  assert.deepEqual(lines, ['one', 'two', 'three']);
});

test('of lines over the rate the tail keeps the last ones, and redacts what it shows', () => {
  const tail = new LineTail(20, (line, cut) => `${line.replace('hunter2', '***')}${cut ? '…' : ''}`);
  tail.add('first');
  tail.addFrom(Buffer.from(`${'noise\n'.repeat(10_000)}hunter2\nend`));
  assert.equal(tail.text(), 'noise\nnoise\n***\nend');
  tail.addFrom(Buffer.from('\n'.repeat(65_535)));
  assert.equal(tail.text().trim(), '');
  tail.addFrom(Buffer.from('x'.repeat(50)));
  assert.equal(tail.text(), 'x'.repeat(19));
});
