import { errno, onlyOnItself, refused, refusedAmongOthers } from './seccomp-calls.ts';

/**
 * The system call filter every confined plugin runs under, as classic BPF for `bwrap --seccomp FD`. It takes away what
 * namespaces do not cover: tracing and reading other processes, kernel keyrings, new namespaces and mounts, io_uring,
 * sockets of families that are not IP. Generated here so that neither libseccomp nor a compiler is needed.
 */
export type FilteredArchitecture = 'x64' | 'arm64';

/**
 * `namespaces`: the plugin has namespaces of its own, with a network it may use. `shared`: it lives among the processes
 * of the host, confined by Landlock, and what that leaves open is closed here: sockets of every family, what changes a
 * file by its path alone, what reaches other processes by their number.
 */
export type FilterKind = 'namespaces' | 'shared';

/** Calls that are refused by an argument: number on x64 and arm64. */
const inspected = { clone: [56, 220], ioctl: [16, 29], socket: [41, 198], utimensat: [280, 88] } as const;
/** NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET. */
const cloneNewFlags = 0x7e02_0000;
/** TIOCSTI types into the terminal of whoever started the host; TIOCLINUX does on a console. */
const terminalIoctls = [0x5412, 0x541c];
/** UNSPEC, INET, INET6, NETLINK. Not UNIX: a socket file in a granted folder would reach any daemon; not VSOCK. */
const socketFamilies = [0, 2, 10, 16];

const auditArchitecture = { x64: 0xc000_003e, arm64: 0xc000_00b7 } as const;
/**
 * Calls from this number on are newer than this table: nobody judged them yet, and programs take a kernel without them
 * for an older one. Those of the x32 ABI, which has other numbers on the same kernel, are all above it.
 */
const firstUnreviewed = 470;

const operation = { load: 0x20, ifEqual: 0x15, ifAtLeast: 0x35, ifAnyBit: 0x45, answer: 0x06 } as const;
/** In struct seccomp_data; of an argument the low word, since both architectures are little-endian. */
const offset = { number: 0, architecture: 4, argument0: 16, argument1: 24, argument1High: 28 } as const;
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

/** The filter as an array of `struct sock_filter`. Pure: the same bytes for the same architecture and kind. */
export function seccompFilter(architecture: FilteredArchitecture, kind: FilterKind = 'namespaces'): Uint8Array {
  const column = architecture === 'x64' ? 0 : 1;
  const families = kind === 'namespaces' ? socketFamilies : [];
  const program: Instruction[] = [
    load(offset.architecture),
    skip(operation.ifEqual, auditArchitecture[architecture], 1, 0),
    answer(killProcess),
    load(offset.number),
    skip(operation.ifAtLeast, firstUnreviewed, 0, 1),
    answer(fail(errno.ENOSYS)),
  ];
  for (const [, x64, arm64, result] of kind === 'namespaces' ? refused : [...refused, ...refusedAmongOthers]) {
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
      ...families.flatMap((family) => [skip(operation.ifEqual, family, 0, 1), answer(allow)]),
      answer(fail(errno.EAFNOSUPPORT)),
    ]),
    ...(kind === 'namespaces' ? [] : callsOnItself(column)),
    answer(allow),
  );
  return encode(program);
}

/** Allowed on the caller's own process, and on a file that is open. */
function callsOnItself(column: 0 | 1): Instruction[] {
  return [
    ...onlyOnItself.flatMap(([, x64, arm64, argument]) =>
      forCall(column === 0 ? x64 : arm64, [
        load(argument === 0 ? offset.argument0 : offset.argument1),
        skip(operation.ifEqual, 0, 0, 1),
        answer(allow),
        answer(fail(errno.EPERM)),
      ]),
    ),
    // Without a path, which is a pointer of two words, it means what is open.
    ...forCall(inspected.utimensat[column], [
      load(offset.argument1),
      skip(operation.ifEqual, 0, 0, 3),
      load(offset.argument1High),
      skip(operation.ifEqual, 0, 0, 1),
      answer(allow),
      answer(fail(errno.EPERM)),
    ]),
  ];
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
