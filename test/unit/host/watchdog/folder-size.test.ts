import assert from 'node:assert/strict';
import { linkSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { folderSize } from '../../../../packages/host/src/watchdog/folder-size.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const kb = 1024;

test('a folder takes what its files take on the disk, each once, and links lead nowhere', async (t) => {
  const folder = tempFolder(t);
  const elsewhere = tempFolder(t);
  writeFileSync(join(elsewhere, 'large'), Buffer.alloc(512 * kb));
  mkdirSync(join(folder, 'deep', 'deeper'), { recursive: true });
  writeFileSync(join(folder, 'deep', 'deeper', 'file'), Buffer.alloc(64 * kb, 1));
  linkSync(join(folder, 'deep', 'deeper', 'file'), join(folder, 'again'));
  symlinkSync(elsewhere, join(folder, 'link'));
  writeFileSync(join(folder, 'sparse'), '');
  truncateSync(join(folder, 'sparse'), 512 * kb);
  const size = await folderSize(folder);
  assert.ok('bytes' in size);
  assert.equal(size.entries, 6);
  assert.ok(size.bytes >= 64 * kb && size.bytes < 128 * kb, String(size.bytes));
});

test('a folder that is not there is empty', async (t) => {
  assert.deepEqual(await folderSize(join(tempFolder(t), 'nowhere')), { bytes: 0, entries: 0 });
});
