/**
 * The system call filter every confined plugin runs under, as classic BPF for `bwrap --seccomp FD`. It takes away what
 * namespaces do not cover: tracing and reading other processes, kernel keyrings, new namespaces and mounts, io_uring,
 * sockets of families that are not IP. Generated here so that neither libseccomp nor a compiler is needed.
 */
export type FilteredArchitecture = 'x64' | 'arm64';

/** What a filtered call returns. `ENOSYS` where programs probe for a new call and fall back to an older one. */
type Answer = 'EPERM' | 'ENOSYS';
const errno = { EPERM: 1, ENOSYS: 38, EAFNOSUPPORT: 97 } as const;

/** Name, number on x64, number on arm64 (null: the call does not exist there), what it returns. */
type Row = readonly [name: string, x64: number, arm64: number | null, answer: Answer];

const refused: readonly Row[] = [
  // Other processes: their memory, descriptors and identity.
  ['ptrace', 101, 117, 'EPERM'],
  ['process_vm_readv', 310, 270, 'EPERM'],
  ['process_vm_writev', 311, 271, 'EPERM'],
  ['pidfd_getfd', 438, 438, 'EPERM'],
  ['kcmp', 312, 272, 'EPERM'],
  // Keyrings are not namespaced: without this a plugin reaches the session keyring of the host.
  ['add_key', 248, 217, 'EPERM'],
  ['request_key', 249, 218, 'EPERM'],
  ['keyctl', 250, 219, 'EPERM'],
  // Namespaces and mounts: with a user namespace of its own a plugin would get all capabilities inside it.
  ['unshare', 272, 97, 'EPERM'],
  ['setns', 308, 268, 'EPERM'],
  ['mount', 165, 40, 'EPERM'],
  ['umount2', 166, 39, 'EPERM'],
  ['pivot_root', 155, 41, 'EPERM'],
  ['chroot', 161, 51, 'EPERM'],
  // clone3 keeps its flags behind a pointer, which a filter cannot read; libc falls back to clone.
  ['clone3', 435, 435, 'ENOSYS'],
  ['open_tree', 428, 428, 'ENOSYS'],
  ['move_mount', 429, 429, 'ENOSYS'],
  ['fsopen', 430, 430, 'ENOSYS'],
  ['fsconfig', 431, 431, 'ENOSYS'],
  ['fsmount', 432, 432, 'ENOSYS'],
  ['fspick', 433, 433, 'ENOSYS'],
  ['mount_setattr', 442, 442, 'ENOSYS'],
  // Handles open files by inode, past every path check.
  ['open_by_handle_at', 304, 265, 'EPERM'],
  ['name_to_handle_at', 303, 264, 'EPERM'],
  // Large kernel surfaces with a history of escapes.
  ['bpf', 321, 280, 'EPERM'],
  ['userfaultfd', 323, 282, 'EPERM'],
  ['perf_event_open', 298, 241, 'EPERM'],
  ['io_uring_setup', 425, 425, 'ENOSYS'],
  ['io_uring_enter', 426, 426, 'ENOSYS'],
  ['io_uring_register', 427, 427, 'ENOSYS'],
  // The machine itself.
  ['kexec_load', 246, 104, 'EPERM'],
  ['kexec_file_load', 320, 294, 'EPERM'],
  ['init_module', 175, 105, 'EPERM'],
  ['finit_module', 313, 273, 'EPERM'],
  ['delete_module', 176, 106, 'EPERM'],
  ['reboot', 169, 142, 'EPERM'],
  ['swapon', 167, 224, 'EPERM'],
  ['swapoff', 168, 225, 'EPERM'],
  ['acct', 163, 89, 'EPERM'],
  ['quotactl', 179, 60, 'EPERM'],
  ['quotactl_fd', 443, 443, 'EPERM'],
  ['syslog', 103, 116, 'EPERM'],
  ['uselib', 134, null, 'EPERM'],
  ['iopl', 172, null, 'EPERM'],
  ['ioperm', 173, null, 'EPERM'],
  ['modify_ldt', 154, null, 'EPERM'],
  ['personality', 135, 92, 'EPERM'], // turns address randomisation off
  // Memory placement: lets one process stall or observe the others on its node.
  ['mbind', 237, 235, 'EPERM'],
  ['get_mempolicy', 239, 236, 'EPERM'],
  ['set_mempolicy', 238, 237, 'EPERM'],
  ['migrate_pages', 256, 238, 'EPERM'],
  ['move_pages', 279, 239, 'EPERM'],
];

/** Calls that are refused by an argument: number on x64 and arm64. */
const inspected = { clone: [56, 220], ioctl: [16, 29], socket: [41, 198] } as const;
/** NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const cloneNewFlags = 0x7e02_0000;
/** TIOCSTI types into the terminal of whoever started the host; TIOCLINUX does on a console. */
const terminalIoctls = [0x5412, 0x541c];
/** UNSPEC, INET, INET6, NETLINK. Not UNIX: a socket file in a granted folder would reach any daemon; not VSOCK. */
const socketFamilies = [0, 2, 10, 16];

const auditArchitecture = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const;
/** Calls of the x32 ABI carry this bit: same kernel, other numbers, so the table would not apply to them. */
const x32Bit = 0x4000_0000;

const operation = { load: 0x20, ifEqual: 0x15, ifAtLeast: 0x35, ifAnyBit: 0x45, answer: 0x06 } as const;
/** In struct seccomp_data; of an argument the low word, since both architectures are little-endian. */
const offset = { number: 0, architecture: 4, argument0: 16, argument1: 24 } as const;
const allow = 0x7fff_0000;
const killProcess = 0x8000_0000;
const fail = (code: number): number => 0x0005_0000 | code;

interface Instruction {
  readonly code: number;
  readonly value: number;
  readonly onTrue: number;
  readonly onFalse: number;
}

const load = (at: number): Instruction => ({ code: operation.load, value: at, onTrue: 0, onFalse: 0 });
const answer = (value: number): Instruction => ({ code: operation.answer, value, onTrue: 0, onFalse: 0 });
const skip = (code: number, value: number, onTrue: number, onFalse: number): Instruction => ({
  code,
  value,
  onTrue,
  onFalse,
});
/** `body` runs only for system call `number`, and always answers. */
function forCall(number: number, body: readonly Instruction[]): Instruction[] {
  return [skip(operation.ifEqual, number, 0, body.length), ...body];
}

/** True when a filter exists for this architecture; without one, `ipc` is enforced only in part. */
export function hasSeccompFilter(architecture: string): architecture is FilteredArchitecture {
  return architecture === 'x64' || architecture === 'arm64';
}

/** The filter as an array of `struct sock_filter`. Pure: the same bytes for the same architecture. */
export function seccompFilter(architecture: FilteredArchitecture): Uint8Array {
  const column = architecture === 'x64' ? 0 : 1;
  const program: Instruction[] = [
    load(offset.architecture),
    skip(operation.ifEqual, auditArchitecture[architecture], 1, 0),
    answer(killProcess),
    load(offset.number),
  ];
  if (architecture === 'x64') program.push(skip(operation.ifAtLeast, x32Bit, 0, 1), answer(fail(errno.ENOSYS)));
  for (const [, x64, arm64, result] of refused) {
    const number = architecture === 'x64' ? x64 : arm64;
    if (number !== null) program.push(...forCall(number, [answer(fail(errno[result]))]));
  }
  program.push(
    ...forCall(inspected.clone[column], [
      load(offset.argument0),
      skip(operation.ifAnyBit, cloneNewFlags, 0, 1),
      answer(fail(errno.EPERM)),
      answer(allow),
    ]),
    ...forCall(inspected.ioctl[column], [
      load(offset.argument1),
      ...terminalIoctls.flatMap((request) => [skip(operation.ifEqual, request, 0, 1), answer(fail(errno.EPERM))]),
      answer(allow),
    ]),
    ...forCall(inspected.socket[column], [
      load(offset.argument0),
      ...socketFamilies.flatMap((family) => [skip(operation.ifEqual, family, 0, 1), answer(allow)]),
      answer(fail(errno.EAFNOSUPPORT)),
    ]),
    answer(allow),
  );
  return encode(program);
}

function encode(program: readonly Instruction[]): Uint8Array {
  const bytes = Buffer.alloc(program.length * 8);
  program.forEach(({ code, value, onTrue, onFalse }, index) => {
    bytes.writeUInt16LE(code, index * 8);
    bytes.writeUInt8(onTrue, index * 8 + 2);
    bytes.writeUInt8(onFalse, index * 8 + 3);
    bytes.writeUInt32LE(value >>> 0, index * 8 + 4);
  });
  return bytes;
}
