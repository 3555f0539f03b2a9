import { closeSync, constants, lstatSync, openSync } from 'node:fs';
import { connect as connectSocket, type Socket } from 'node:net';
import { join } from 'node:path';
import { MmmError } from '@mmm/protocol';

/** The kernel takes 107 bytes, and one for the end. */
const pathBytesMax = 107;
const socketName = 'control.sock';

/** A place to listen at or to connect to. `close` when that was done: the path may not be valid any longer then. */
export interface SocketPlace {
  /** What the kernel is given; short wherever the home lies. */
  readonly address: string;
  /** Where it can be found. */
  readonly file: string;
  close(): void;
}

/**
 * The place of the control socket below the `run` folder of a home. Who may connect is decided by that folder alone:
 * it must be this user's, and nobody else's to enter, which is checked here on both sides. Throws HOME_INVALID.
 */
export function controlSocket(runFolder: string): SocketPlace {
  const file = join(runFolder, socketName);
  assertPrivate(runFolder);
  if (Buffer.byteLength(file) <= pathBytesMax) return { address: file, file, close: () => undefined };
  if (process.platform !== 'linux') {
    const reason = `a socket's path has at most ${pathBytesMax} bytes, and ${file} is longer`;
    throw new MmmError('HOME_INVALID', `The daemon cannot serve this home: ${reason}. Choose a shorter one (--home).`, {
      path: runFolder,
      reason,
    });
  }
  const descriptor = openSync(runFolder, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
  return { address: `/proc/self/fd/${descriptor}/${socketName}`, file, close: () => closeSync(descriptor) };
}

/** A connection to whoever serves a home, or undefined when nobody does. */
export async function dialControl(runFolder: string): Promise<Socket | undefined> {
  if (lstatSync(join(runFolder, socketName), { throwIfNoEntry: false }) === undefined) return undefined;
  const place = controlSocket(runFolder);
  try {
    return await new Promise<Socket | undefined>((resolve, reject) => {
      const socket = connectSocket(place.address);
      socket.once('connect', () => {
        socket.removeAllListeners('error');
        // From here on the connection says how it ended.
        socket.on('error', () => undefined);
        resolve(socket);
      });
      socket.once('error', (error: NodeJS.ErrnoException) => {
        // What a daemon that was killed left behind answers to nobody.
        if (error.code === 'ECONNREFUSED' || error.code === 'ENOENT') resolve(undefined);
        else reject(error);
      });
    });
  } finally {
    place.close();
  }
}

function assertPrivate(folder: string): void {
  const { mode, uid } = lstatSync(folder);
  const own = process.getuid?.() ?? uid;
  if (uid === own && (mode & 0o077) === 0) return;
  const reason = uid === own ? 'others may enter it' : `it belongs to uid ${uid}, not to you (${own})`;
  throw new MmmError('HOME_INVALID', `${folder} cannot hold the daemon's socket: ${reason}.`, { path: folder, reason });
}
