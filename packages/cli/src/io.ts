import type { Readable, Writable } from 'node:stream';

/** Everything a command may touch of its process, so that tests can run commands without one. */
export interface Io {
  readonly stdout: Writable & { readonly isTTY?: boolean };
  readonly stderr: Writable & { readonly isTTY?: boolean };
  readonly stdin: Readable & { readonly isTTY?: boolean };
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  /** This is the whole process: what it inherited may be closed, so that no plugin inherits it too. */
  readonly ownsProcess?: boolean;
  /** Aborted by Ctrl-C: running calls are cancelled and plugins are stopped before the command ends. */
  readonly interrupted: AbortSignal;
}

/** Reads all of stdin; a command asked for it with `-`. Refuses more than `bytesMax`. */
export async function readStdin(io: Io, bytesMax: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of io.stdin) {
    const buffer = Buffer.isBuffer(chunk) ? chunk : Buffer.from(String(chunk));
    bytes += buffer.length;
    if (bytes > bytesMax) throw new RangeError(`standard input has more than ${bytesMax} bytes`);
    chunks.push(buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}
