import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { type FilterKind, seccompFilter } from '../../../../packages/host/src/sandbox/seccomp.ts';
import { type Call, runFilter } from '../../../support/run-filter.ts';

/** Name → number on x64 and on arm64, out of the headers of the kernel. */
const numbers = JSON.parse(
  readFileSync(join(import.meta.dirname, '../../../fixtures/native/system-calls.json'), 'utf8'),
) as Record<string, readonly [x64: number | null, arm64: number | null]>;

const allow = 'allow';
/** By name and not by number: what a plugin with namespaces of its own is refused, and how. */
const always: Readonly<Record<string, string>> = {
  ...answered(
    'EPERM',
    `ptrace process_vm_readv process_vm_writev pidfd_getfd kcmp add_key request_key keyctl unshare setns mount umount2
     pivot_root chroot open_by_handle_at name_to_handle_at bpf userfaultfd perf_event_open kexec_load kexec_file_load
     init_module finit_module delete_module reboot swapon swapoff acct quotactl quotactl_fd syslog uselib iopl ioperm
     modify_ldt personality mbind get_mempolicy set_mempolicy migrate_pages move_pages`,
  ),
  ...answered(
    'ENOSYS',
    `clone3 open_tree open_tree_attr move_mount fsopen fsconfig fsmount fspick mount_setattr io_uring_setup
     io_uring_enter io_uring_register`,
  ),
};
/** Beside that, what one among the host's processes is refused; `prlimit64` and its like when it is about another. */
const amongOthers: Readonly<Record<string, string>> = {
  ...answered(
    'EPERM',
    `chmod fchmodat fchmodat2 chown lchown fchownat utime utimes futimesat setxattr lsetxattr removexattr lremovexattr
     inotify_add_watch fanotify_init shmget shmctl shmat semget semctl semop semtimedop msgget msgctl msgsnd msgrcv
     mq_open mq_unlink`,
  ),
  ...answered('ENOSYS', 'setxattrat removexattrat file_setattr'),
};

function answered(answer: string, names: string): Record<string, string> {
  return Object.fromEntries(names.split(/\s+/).map((name) => [name, answer]));
}

/** What is asked about each call: harmless arguments, then those for which some calls are refused. */
const harmless: Partial<Call> = { arguments: [0, 0] };
const arguing: Readonly<
  Record<string, { readonly call: Partial<Call>; readonly answer: string; only?: FilterKind }[]>
> = {
  clone: [
    { call: { arguments: [0x1000_0000, 0] }, answer: 'EPERM' },
    { call: { arguments: [0x0001_0f00, 0] }, answer: allow },
  ],
  ioctl: [
    { call: { arguments: [0, 0x5412] }, answer: 'EPERM' },
    { call: { arguments: [0, 0x541c] }, answer: 'EPERM' },
    { call: { arguments: [0, 0x5401] }, answer: allow },
  ],
  socket: [
    ...[0, 2, 10, 16].map((family) => ({
      call: { arguments: [family, 0] },
      answer: allow,
      only: 'namespaces' as const,
    })),
    ...[0, 2, 10, 16].map((family) => ({
      call: { arguments: [family, 0] },
      answer: 'EAFNOSUPPORT',
      only: 'shared' as const,
    })),
    ...[1, 17, 38, 40].map((family) => ({ call: { arguments: [family, 0] }, answer: 'EAFNOSUPPORT' })),
  ],
  utimensat: [
    { call: { arguments: [0, 4096] }, answer: 'EPERM', only: 'shared' },
    { call: { arguments: [0, 2 ** 40] }, answer: 'EPERM', only: 'shared' },
    { call: { arguments: [0, 4096] }, answer: allow, only: 'namespaces' },
  ],
  ...Object.fromEntries(
    ['prlimit64', 'sched_setparam', 'sched_setscheduler', 'sched_setaffinity', 'sched_setattr'].map((name) => [
      name,
      [
        { call: { arguments: [1234, 0] }, answer: 'EPERM', only: 'shared' as const },
        { call: { arguments: [1234, 0] }, answer: allow, only: 'namespaces' as const },
      ],
    ]),
  ),
  ...Object.fromEntries(
    ['setpriority', 'ioprio_set'].map((name) => [
      name,
      [{ call: { arguments: [0, 1234] }, answer: 'EPERM', only: 'shared' as const }],
    ]),
  ),
};

for (const [column, architecture] of [
  [0, 'x64'],
  [1, 'arm64'],
] as const) {
  for (const kind of ['namespaces', 'shared'] as const) {
    const filter = seccompFilter(architecture, kind);
    const verdict = (number: number, call: Partial<Call> = {}): string =>
      runFilter(filter, { architecture, number, arguments: [0, 0], ...call });

    test(`${architecture}, ${kind}: every call of the kernel is answered as its name is meant to be`, () => {
      const refused = kind === 'namespaces' ? always : { ...always, ...amongOthers };
      for (const [name, both] of Object.entries(numbers)) {
        const number = both[column];
        if (number === null) continue;
        const byFamily = name === 'socket' && kind === 'shared' ? 'EAFNOSUPPORT' : allow;
        assert.equal(verdict(number, harmless), refused[name] ?? byFamily, name);
        for (const { call, answer, only } of arguing[name] ?? []) {
          if (only === undefined || only === kind)
            assert.equal(verdict(number, call), answer, JSON.stringify([name, call]));
        }
      }
      for (const name of Object.keys(refused)) assert.ok(numbers[name], `there is no call ${name}`);
    });

    test(`${architecture}, ${kind}: a number without a name is refused only where no call is known yet`, () => {
      const known = new Set(Object.values(numbers).map((both) => both[column]));
      for (let number = 0; number < 1024; number++) {
        if (!known.has(number)) assert.equal(verdict(number), number < 470 ? allow : 'ENOSYS', String(number));
      }
      for (const number of [0x4000_0000, 0x4000_0065, 0x7fff_ffff, 0xffff_ffff])
        assert.equal(verdict(number), 'ENOSYS');
    });

    test(`${architecture}, ${kind}: what comes by another architecture ends the process, whatever it is`, () => {
      for (const audit of [0x4000_0003, 0xc000_003e, 0xc000_00b7, 0x4000_0028, 0, 0xffff_ffff]) {
        const isOwn = audit === { x64: 0xc000_003e, arm64: 0xc000_00b7 }[architecture];
        for (const number of [0, 11, 63, 101, 117, 470]) {
          if (!isOwn) assert.equal(verdict(number, { audit }), 'kill', `${audit} ${number}`);
        }
      }
    });

    test(`${architecture}, ${kind}: the program is one the kernel takes`, () => {
      assert.ok(filter.length % 8 === 0 && filter.length / 8 <= 4096);
    });
  }
}

test('the two architectures differ in nothing but numbers and calls that one of them lacks', () => {
  for (const [name, [x64, arm64]] of Object.entries(numbers)) {
    if (x64 === null || arm64 === null) continue;
    for (const kind of ['namespaces', 'shared'] as const) {
      const answers: string[] = (['x64', 'arm64'] as const).map((architecture): string =>
        runFilter(seccompFilter(architecture, kind), {
          architecture,
          number: architecture === 'x64' ? x64 : arm64,
          arguments: [0, 0],
        }),
      );
      assert.equal(answers[0], answers[1], name);
    }
  }
});
