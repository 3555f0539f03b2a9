import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { join } from 'node:path';
import type { Readable, Writable } from 'node:stream';

export type PipedChild = ChildProcessByStdio<Writable, Readable, null>;

export const repository = join(import.meta.dirname, '..');

/** What every measured program gets. Without this machine's own variables: some of them slow each start of Node. */
export const environment = { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/nonexistent', LANG: 'C.UTF-8' };

export function program(name: string): string {
  return join(import.meta.dirname, 'programs', name);
}

/** Starts one of the programs with two pipes, as a plain Node program would. */
export function start(name: string): PipedChild {
  return spawn(process.execPath, [program(name)], { env: environment, stdio: ['pipe', 'pipe', 'inherit'] });
}
