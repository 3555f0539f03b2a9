import assert from 'node:assert/strict';

/** One system call as a filter sees it. */
export interface Call {
  readonly architecture: 'x64' | 'arm64';
  readonly number: number;
  readonly arguments: readonly number[];
  /** Instead of the number of that architecture. */
  readonly audit?: number;
}

const names: Readonly<Record<number, string>> = { 1: 'EPERM', 38: 'ENOSYS', 97: 'EAFNOSUPPORT' };

/** Runs a filter as the kernel would, on one call, and says what becomes of it. */
export function runFilter(filter: Uint8Array, call: Call): string {
  const program = Buffer.from(filter);
  const data = seccompData(call);
  let accumulator = 0;
  for (let at = 0; at < program.length / 8; at++) {
    const code = program.readUInt16LE(at * 8);
    const value = program.readUInt32LE(at * 8 + 4);
    if (code === 0x06) return answer(value);
    if (code === 0x20) {
      assert.ok(value % 4 === 0 && value + 4 <= data.length, `it reads at ${value}`);
      accumulator = data.readUInt32LE(value);
      continue;
    }
    const holds = { 21: accumulator === value, 53: accumulator >= value, 69: (accumulator & value) !== 0 }[code];
    assert.ok(holds !== undefined, `unknown instruction ${code}`);
    at += program[at * 8 + (holds ? 2 : 3)] ?? 0;
  }
  throw new Error('the filter ended without an answer');
}

/** `struct seccomp_data`: number, architecture, instruction pointer, six arguments of 64 bits. */
function seccompData({ architecture, number, arguments: given, audit }: Call): Buffer {
  const data = Buffer.alloc(64);
  data.writeUInt32LE(number >>> 0, 0);
  data.writeUInt32LE(audit ?? { x64: 0xc000_003e, arm64: 0xc000_00b7 }[architecture], 4);
  for (const [index, argument] of given.entries()) data.writeBigUInt64LE(BigInt(argument), 16 + index * 8);
  return data;
}

function answer(value: number): string {
  if (value === 0x7fff_0000) return 'allow';
  if (value === 0x8000_0000) return 'kill';
  const name = names[value & 0xffff];
  assert.ok(value >>> 16 === 5 && name !== undefined, `it answers ${value}`);
  return name;
}
