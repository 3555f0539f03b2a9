import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { discover } from '../../packages/host/src/discover/scan.ts';
import { tempFolder } from '../support/temp-folder.ts';

test('a manifest that is a named pipe without a writer is reported and does not hang the scan', async (t) => {
  const root = tempFolder(t);
  mkdirSync(join(root, 'a'));
  execFileSync('mkfifo', [join(root, 'a/plugin.toml')]);
  const { problems } = await discover([{ directory: root, origin: 'user' }]);
  assert.deepEqual(
    problems.map(({ error }) => error?.code),
    ['MANIFEST_UNREADABLE'],
  );
  assert.match(problems[0]?.message ?? '', /not a regular file/);
});
