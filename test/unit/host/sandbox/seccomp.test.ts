import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hasSeccompFilter, seccompFilter } from '../../../../packages/host/src/sandbox/seccomp.ts';

const allow = 0x7fff0000;
const kill = 0x80000000;
const fail = (code: number): number => (0x00050000 | code) >>> 0;

/** Runs the filter as the kernel would, on one system call. */
function verdict(architecture: 'x64' | 'arm64', number: number, first = 0, second = 0, audit?: number): number {
  const own = { x64: 0xc000003e, arm64: 0xc00000b7 }[architecture];
  const data = new Map([
    [0, number],
    [4, audit ?? own],
    [16, first],
    [24, second],
  ]);
  const program = Buffer.from(seccompFilter(architecture));
  let accumulator = 0;
  for (let at = 0; at < program.length / 8; at++) {
    const code = program.readUInt16LE(at * 8);
    const value = program.readUInt32LE(at * 8 + 4);
    if (code === 0x06) return value;
    if (code === 0x20) accumulator = data.get(value) ?? Number.NaN;
    else {
      const holds = { 21: accumulator === value, 53: accumulator >= value, 69: (accumulator & value) !== 0 }[code];
      assert.ok(holds !== undefined, `unknown instruction ${code}`);
      at += program[at * 8 + (holds ? 2 : 3)] ?? 0;
    }
  }
  throw new Error('the filter ended without an answer');
}

for (const [architecture, calls] of [
  ['x64', { read: 0, ptrace: 101, keyctl: 250, unshare: 272, clone: 56, ioctl: 16, socket: 41, socketpair: 53 }],
  ['arm64', { read: 63, ptrace: 117, keyctl: 219, unshare: 97, clone: 220, ioctl: 29, socket: 198, socketpair: 199 }],
] as const) {
  test(`${architecture}: what reaches other processes, keyrings and namespaces is refused`, () => {
    for (const call of [calls.ptrace, calls.keyctl, calls.unshare]) assert.equal(verdict(architecture, call), fail(1));
    for (const call of [425, 426, 427, 435]) assert.equal(verdict(architecture, call), fail(38));
    assert.equal(verdict(architecture, calls.read), allow);
    assert.equal(verdict(architecture, calls.socketpair), allow);
  });

  test(`${architecture}: a process may be made, a namespace may not`, () => {
    assert.equal(verdict(architecture, calls.clone, 0x00010f00), allow);
    for (const flag of [0x20000, 0x10000000, 0x40000000])
      assert.equal(verdict(architecture, calls.clone, flag), fail(1));
  });

  test(`${architecture}: sockets are IP only, and nothing types into a terminal`, () => {
    for (const family of [0, 2, 10, 16]) assert.equal(verdict(architecture, calls.socket, family), allow);
    for (const family of [1, 17, 40, 38]) assert.equal(verdict(architecture, calls.socket, family), fail(97));
    assert.equal(verdict(architecture, calls.ioctl, 0, 0x5412), fail(1));
    assert.equal(verdict(architecture, calls.ioctl, 0, 0x541c), fail(1));
    assert.equal(verdict(architecture, calls.ioctl, 0, 0x5401), allow);
  });

  test(`${architecture}: a call of another architecture ends the process`, () => {
    assert.equal(verdict(architecture, calls.read, 0, 0, 0x40000003), kill);
  });
}

test('the x32 numbers of x64 do not exist', () => {
  assert.equal(verdict('x64', 0x40000000 + 101), fail(38));
});

test('an architecture without a table has no filter', () => {
  assert.equal(hasSeccompFilter('riscv64'), false);
});
