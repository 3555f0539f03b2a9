import { type FileHandle, open } from 'node:fs/promises';

/** What the kernel would do with a file it is asked to execute. */
export type ExecutableFile =
  | { readonly kind: 'elf'; readonly loader: string | null }
  | { readonly kind: 'script'; readonly interpreter: string; readonly argument: string | null }
  | { readonly kind: 'unknown' };

/** Longer first lines are cut by the kernel too; program headers of every known linker are within the first page. */
const headBytes = 4096;
const programHeaderInterpreter = 3;

/** Reads the head of a file and says how it is started. Runs nothing. */
export async function inspectExecutable(file: string): Promise<ExecutableFile> {
  const handle = await open(file, 'r');
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(headBytes), 0, headBytes, 0);
    const head = buffer.subarray(0, bytesRead);
    if (head.subarray(0, 2).toString('latin1') === '#!') return parseShebang(head);
    if (head.subarray(0, 4).toString('latin1') === '\x7fELF')
      return { kind: 'elf', loader: await elfLoader(handle, head) };
    return { kind: 'unknown' };
  } finally {
    await handle.close();
  }
}

/** `#!interpreter [argument]`, split as the kernel does: everything after the interpreter is one argument. */
function parseShebang(head: Buffer): ExecutableFile {
  const text = head.toString('utf8');
  const end = text.indexOf('\n');
  const line = (end < 0 ? text : text.slice(0, end)).slice(2).trim();
  const match = /^(\S+)(?:\s+(.*))?$/.exec(line);
  if (match?.[1] === undefined) return { kind: 'unknown' };
  return { kind: 'script', interpreter: match[1], argument: match[2] ?? null };
}

/** The dynamic loader an ELF file names, or null for a static one. Understands little-endian 64-bit files only. */
async function elfLoader(handle: FileHandle, head: Buffer): Promise<string | null> {
  const is64BitLittleEndian = head.length >= 64 && head[4] === 2 && head[5] === 1;
  if (!is64BitLittleEndian) return null;
  const at = Number(head.readBigUInt64LE(32));
  const size = head.readUInt16LE(54);
  const count = head.readUInt16LE(56);
  for (let index = 0; index < count; index++) {
    const header = at + index * size;
    if (header + 56 > head.length) return null;
    if (head.readUInt32LE(header) !== programHeaderInterpreter) continue;
    const length = Math.min(Number(head.readBigUInt64LE(header + 32)), 256);
    const { bytesRead, buffer } = await handle.read(
      Buffer.alloc(length),
      0,
      length,
      Number(head.readBigUInt64LE(header + 8)),
    );
    return buffer.subarray(0, bytesRead).toString('latin1').replace(/\0.*$/s, '');
  }
  return null;
}
