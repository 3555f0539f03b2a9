import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { requireMountPoint, requireWholeOptions } from '../../../../packages/host/src/sandbox/mount-point.ts';

test('only plain absolute paths outside of what is reserved are mounted on', () => {
  for (const path of ['/usr/bin/node', '/home/user/a b', '/usr/bin/..x', '/.mmmx', '/developer']) {
    requireMountPoint('p', path);
  }
  const refused = [
    '',
    'usr',
    '/',
    '//x',
    '/usr/../x',
    '/usr/./x',
    '/usr/',
    '/usr//x',
    '/usr/..',
    '/a\0b',
    '/../oldroot/x',
  ];
  for (const path of [...refused, '/.mmm', '/.mmm/setpriv', '/proc/1', '/dev/null', '/sys']) {
    assert.throws(
      () => requireMountPoint('p', path),
      (error) => MmmError.is(error, 'LAUNCH_FAILED'),
      path,
    );
  }
});

test('a NUL in an option is refused: it would be the beginning of another', () => {
  requireWholeOptions('p', ['--bind', '/a', '/b']);
  assert.throws(() => requireWholeOptions('p', ['--bind', '/a\0--bind', '/b']), /NUL/);
});
