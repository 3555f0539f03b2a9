import assert from 'node:assert/strict';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { FileLock } from '../../../../packages/host/src/store/file-lock.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

test('a lock keeps a second holder out and writes nothing, so that a full disk keeps nobody from taking it', (t) => {
  const folder = tempFolder(t);
  const file = join(folder, 'a.lock');
  assert.equal(FileLock.isHeld(file), false);
  const lock = FileLock.take(file);
  assert.ok(lock !== undefined);
  assert.equal(FileLock.take(file), undefined);
  assert.equal(FileLock.isHeld(file), true);
  assert.deepEqual([readdirSync(folder), statSync(file).size], [['a.lock'], 0]);
  lock.release();
  assert.equal(FileLock.isHeld(file), false);
});
