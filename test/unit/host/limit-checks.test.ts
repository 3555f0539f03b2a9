import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type LimitMeans, limitChecks } from '../../../packages/host/src/limit-checks.ts';
import { limitNames } from '../../../packages/host/src/settings/limits.ts';

const none = { setpriv: null, socat: null, nsenter: null, mount: null, unshare: null, helper: null };
const tools = { ...none, prlimit: '/usr/bin/prlimit' };
const all: LimitMeans = {
  probe: { mechanism: 'bubblewrap', tools },
  seesProcesses: true,
  isRoot: false,
  kernel: '6.1.0-amd64',
};

function check(means: Partial<LimitMeans>, name: string) {
  return limitChecks({ ...all, ...means }).find((one) => one.name === `limit ${name}`);
}

test('where everything is there, every limit is held, and it is said how', () => {
  const checks = limitChecks(all);
  assert.deepEqual(
    checks.map(({ name, status }) => `${name} ${status}`),
    limitNames.map((name) => `limit ${name} ok`),
  );
  assert.equal(
    checks.every(({ message }) => message.length > 5),
    true,
  );
});

test('without prlimit what the kernel holds is not held, and what is watched only late', () => {
  const without = { probe: { mechanism: 'bubblewrap', tools: { ...tools, prlimit: null } } } as const;
  assert.match(check(without, 'files')?.message ?? '', /^nothing limits it: prlimit/);
  assert.match(check(without, 'memory_mb')?.message ?? '', /^only what is over it for a while/);
  assert.equal(check(without, 'files')?.status, 'warning');
  assert.equal(check(without, 'cpu')?.status, 'ok');
  assert.equal(check(without, 'calls_per_second')?.status, 'ok');
});

test('where nobody tells of processes nothing is watched', () => {
  assert.match(check({ seesProcesses: false }, 'cpu')?.message ?? '', /^nothing limits it: \/proc/);
  assert.match(check({ seesProcesses: false }, 'memory_mb')?.message ?? '', /^only each process/);
  assert.equal(check({ seesProcesses: false }, 'files')?.status, 'ok');
});

test('without a sandbox there is no /tmp of its own to limit', () => {
  assert.equal(check({ probe: { mechanism: 'none', tools } }, 'temporary_mb')?.status, 'warning');
});

test('on an old kernel the processes of a user count together, and those of root plugins do not', () => {
  assert.match(check({ kernel: '5.10.0' }, 'processes')?.message ?? '', /all your processes count together/);
  assert.equal(check({ kernel: '5.10.0', isRoot: true }, 'processes')?.status, 'ok');
  assert.equal(check({ kernel: '5.14.2' }, 'processes')?.status, 'ok');
});

test('a control group that the settings name is told with the memory, and so is one that does not work', () => {
  const folder = '/sys/fs/cgroup/given';
  assert.match(
    check({ controlGroup: { folder, works: true } }, 'memory_mb')?.message ?? '',
    /a control group of its own$/,
  );
  const broken = check({ controlGroup: { folder, works: false } }, 'memory_mb');
  assert.equal(broken?.status, 'warning');
  assert.match(broken?.message ?? '', /no group with a limit of memory can be made in \/sys\/fs\/cgroup\/given/);
});
