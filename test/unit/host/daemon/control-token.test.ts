import assert from 'node:assert/strict';
import { symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import {
  isControlToken,
  makeControlToken,
  readControlToken,
} from '../../../../packages/host/src/daemon/control-token.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

test('a token is new for each daemon, read by its clients, and nothing else is taken for it', (t) => {
  const folder = tempFolder(t);
  assert.equal(readControlToken(folder), '');
  const first = makeControlToken(folder);
  const second = makeControlToken(folder);
  assert.notEqual(first, second);
  assert.equal(readControlToken(folder), second);
  assert.deepEqual(
    [second, first, '', `${second}0`].map((given) => isControlToken(given, second)),
    [true, false, false, false],
  );
});

test('on a full disk no daemon is started, and that is why', (t) => {
  const folder = tempFolder(t);
  symlinkSync('/dev/full', join(folder, `control.token.${process.pid}`));
  assert.throws(
    () => makeControlToken(folder),
    (error) => {
      assert.ok(MmmError.is(error, 'STATE_UNREADABLE'), String(error));
      assert.match(error.message, /ENOSPC.* No daemon was started\. The disk is full/);
      assert.equal(error.data.problem, 'full');
      return true;
    },
  );
  assert.equal(readControlToken(folder), '');
});
