import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openingCommand } from '../../../../packages/host/src/sandbox/grant-advice.ts';

const home = '/home/user';

test('a folder of its own is opened by a command that can be pasted', () => {
  assert.equal(openingCommand('/home/user/photos', 'read', 7, home), "chmod -R o+rX '/home/user/photos'");
  assert.equal(openingCommand("/srv/it's", 'write', 7, home), "chown -R 7:7 '/srv/it'\\''s'");
  assert.ok(openingCommand('/var/tmp/x', 'read', 7, home));
});

test('no command is given for a home, for hidden files in it or for what belongs to the system', () => {
  const never = [
    '/',
    '/home',
    home,
    '/root',
    '/etc',
    '/etc/ssl',
    '/usr/share/x',
    '/var/lib',
    '/srv',
    '/home/user/.ssh',
  ];
  for (const path of never) {
    assert.equal(openingCommand(path, 'read', 7, home), undefined, path);
    assert.equal(openingCommand(path, 'write', 7, home), undefined, path);
  }
});
