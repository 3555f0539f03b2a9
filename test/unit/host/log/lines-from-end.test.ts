import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { linesFromEnd } from '../../../../packages/host/src/log/lines-from-end.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const chunkBytes = 64 * 1024;

test('lines come last one first, however they lie on the borders of what is read at a time', (t) => {
  const file = join(tempFolder(t), 'f');
  const check = (text: string): void => {
    writeFileSync(file, text);
    assert.deepEqual([...linesFromEnd(file)], text.split('\n').slice(0, -1).reverse());
  };
  for (const text of ['', '\n', 'a\n', 'a\nb\n', '\n\na\n\n', 'a\nhalf', 'half']) check(text);
  for (const length of [chunkBytes - 2, chunkBytes - 1, chunkBytes, chunkBytes + 1, 3 * chunkBytes]) {
    check(`first\n${'x'.repeat(length)}\nlast\n`);
    check(`${'x'.repeat(length)}\n${'ä'.repeat(length)}\n`);
    check(`first\n${'x'.repeat(length)}`);
  }
});

test('reading stops at a line that is too long to be one', (t) => {
  const file = join(tempFolder(t), 'f');
  writeFileSync(file, `first\n${'x'.repeat(3 * 1024 * 1024)}\nlast\n`);
  assert.deepEqual([...linesFromEnd(file)], ['last']);
});

test('a file that is not there has no lines', (t) => {
  assert.deepEqual([...linesFromEnd(join(tempFolder(t), 'f'))], []);
});
