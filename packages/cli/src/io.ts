import { createReadStream } from 'node:fs';
import type { Readable, Writable } from 'node:stream';
import type { Clock } from '@mmm/host';

/** Everything a command may touch of its process, so that tests can run commands without one. */
export interface Io {
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** The folder that holds what mmm is shipped with besides its code: `templates/`. */
  readonly resources: string;
  /** This is the whole process: what it inherited may be closed, so that no plugin inherits it too. */
  readonly ownsProcess?: boolean;
  /** Aborted by Ctrl-C: running calls are cancelled and plugins are stopped before the command ends. */
  readonly interrupted: AbortSignal;
  /** Instead of the system's. */
  readonly clock?: Pick<Clock, 'monotonic'>;
}

/** Reads all of stdin; a command asked for it with `-`. Refuses more than `bytesMax`. */
export async function readStdin(io: Io, bytesMax: number): Promise<string> {
  return await readWhole(io.stdin, 'standard input', bytesMax);
}

/** Reads a file, a pipe or a device to its end. Refuses more than `bytesMax`, be it endless. */
export async function readFileUpTo(path: string, bytesMax: number): Promise<string> {
  return await readWhole(createReadStream(path), 'it', bytesMax);
}

async function readWhole(stream: Readable, what: string, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    const buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    bytes += buffer.length;
    if (bytes > bytesMax) throw new RangeError(`${what} has more than ${bytesMax} bytes`);
    chunks.push(buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

interface Terminal extends Readable {
  readonly isTTY?: boolean;
  setRawMode?(on: boolean): unknown;
}

/**
 * One line typed at a terminal that does not show it; undefined when standard input is none. Rejects when it is broken
 * off with Ctrl-C.
 */
export async function readHidden(io: Io, question: string): Promise<string | undefined> {
  const terminal: Terminal = io.stdin;
  if (terminal.isTTY !== true || terminal.setRawMode === undefined) return undefined;
  io.stderr.write(question);
  terminal.setRawMode(true);
  const decoder = new TextDecoder();
  let typed = '';
  try {
    for await (const chunk of terminal.iterator({ destroyOnReturn: false })) {
      const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk as Buffer, { stream: true });
      for (const character of text) {
        if (character === '\r' || character === '\n' || character === '\u0004') return typed;
        if (character === '\u0003') throw new Error('it was broken off');
        typed = character === '\u007F' ? [...typed].slice(0, -1).join('') : typed + character;
      }
    }
    return typed;
  } finally {
    terminal.setRawMode(false);
    terminal.pause();
    io.stderr.write('\n');
  }
}
