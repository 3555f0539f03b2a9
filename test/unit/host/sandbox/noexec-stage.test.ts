import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { GrantMount } from '../../../../packages/host/src/sandbox/mount.ts';
import { holdsExecute, noexecStage } from '../../../../packages/host/src/sandbox/noexec-stage.ts';
import type { SandboxTools } from '../../../../packages/host/src/sandbox/tools.ts';

const tools: SandboxTools = {
  setpriv: null,
  prlimit: null,
  socat: null,
  nsenter: null,
  helper: null,
  mount: '/bin/mount',
  unshare: '/bin/unshare',
};
const grant = (source: string, executable = false): GrantMount => {
  return { source, target: source, writable: false, executable, grant: '', device: '1', inode: '1' };
};
const of = (grants: readonly GrantMount[], more: object = {}) => {
  return { grants, tools, dropsRoot: true, uid: 1000, runnable: ['/usr/lib', '/srv/bundle'], ...more };
};
/** What follows the script: the folders that stay as they are, and those that do not. */
const folders = (stage: readonly string[]) => stage.slice(stage.indexOf('/bin/mount') + 1).join(' ');

test('grants without execute become such that nothing starts from them, and nothing else does', () => {
  assert.equal(folders(noexecStage(of([grant('/srv/a'), grant('/srv/b', true)]))), '-- /srv/a --');
  assert.deepEqual(noexecStage(of([grant('/srv/b', true)])), []);
  assert.deepEqual(noexecStage(of([])), []);
});

test('what the plugin runs stays as it is in a granted folder around it, and so does a grant to run', () => {
  const stage = noexecStage(of([grant('/srv'), grant('/srv/tools', true)]));
  assert.equal(folders(stage), '/srv/tools /srv/bundle -- /srv --');
});

test("a grant among the plugin's own programs and libraries changes nothing of those", () => {
  assert.deepEqual(noexecStage(of([grant('/usr/lib/python3'), grant('/srv/bundle')])), []);
  assert.equal(folders(noexecStage(of([grant('/srv/bundles')]))), '-- /srv/bundles --');
});

test('an ordinary user becomes root of a namespace for the mounts alone', () => {
  const stage = noexecStage(of([grant('/srv/a')], { dropsRoot: false }));
  assert.deepEqual(stage.slice(0, 5), ['/bin/unshare', '--user', '--map-root-user', '--mount', '--']);
  const left = stage.slice(stage.lastIndexOf('/bin/unshare'));
  assert.deepEqual(left.slice(0, 3), ['/bin/unshare', '--user', '--map-user=1000']);
  assert.equal(left.at(-1), '--');
});

test('without the tools that is said instead of done', () => {
  for (const name of ['mount', 'unshare'] as const) {
    const parts = of([grant('/srv/a')], { tools: { ...tools, [name]: null } });
    assert.deepEqual(noexecStage(parts), []);
    assert.equal(holdsExecute(parts), false);
    assert.equal(holdsExecute({ ...parts, grants: [grant('/srv/a', true)] }), true);
  }
  assert.equal(holdsExecute(of([grant('/srv/a')])), true);
});
