import { randomBytes } from 'node:crypto';
import { chmodSync, closeSync, constants, mkdirSync, openSync, readdirSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { socketName } from './forwarder.ts';

const prefix = 'egress-';
/** A folder younger than this may belong to a process that is about to listen. */
const settledMs = 60_000;

/** A folder for one socket that nobody else can enter or guess. */
export class SocketFolder {
  readonly directory: string;
  readonly #descriptor: number;
  #isOpen = true;

  /** Makes it below `parent`, which must belong to this user alone. */
  constructor(parent: string) {
    this.directory = join(parent, prefix + randomBytes(8).toString('hex'));
    mkdirSync(this.directory, { mode: 0o700 });
    this.#descriptor = openSync(this.directory, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  }

  /** A name for the socket that is short wherever the folder lies: the kernel takes 107 bytes. Linux only. */
  get socketPath(): string {
    return `/proc/self/fd/${this.#descriptor}/${socketName}`;
  }

  /** To be called when the socket is there. */
  protect(): void {
    chmodSync(join(this.directory, socketName), 0o600);
  }

  /** Removes it. The server must have been closed before, since it removes its socket by the path above. */
  remove(): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    rmSync(this.directory, { recursive: true, force: true });
    closeSync(this.#descriptor);
  }
}

/** Removes what hosts that were killed left behind: folders whose socket nobody answers. */
export async function removeAbandonedFolders(parent: string, nowMs: number): Promise<void> {
  const names = readdirSync(parent).filter((name) => name.startsWith(prefix));
  for (const name of names) {
    const directory = join(parent, name);
    const status = statSync(directory, { throwIfNoEntry: false });
    if (status === undefined || nowMs - status.mtimeMs < settledMs) continue;
    if (!(await isAnswered(directory))) rmSync(directory, { recursive: true, force: true });
  }
}

/** In doubt true: a folder too many is better than one too few. */
function isAnswered(directory: string): Promise<boolean> {
  const descriptor = openSync(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  return new Promise<boolean>((resolve) => {
    const socket = connect({ path: `/proc/self/fd/${descriptor}/${socketName}` });
    socket.once('connect', () => resolve(true));
    socket.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code !== 'ECONNREFUSED' && code !== 'ENOENT'));
    socket.once('close', () => closeSync(descriptor));
    socket.once('connect', () => socket.destroy());
  });
}
