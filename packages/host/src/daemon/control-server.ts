import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { hostLimits } from '../limits.ts';
import { ClientSession, type SessionServices } from './client-session.ts';
import { controlSocket } from './control-socket.ts';

/** Listens for clients of one home. */
export class ControlServer {
  readonly #server: Server;
  readonly #sessions = new Set<ClientSession>();

  readonly #file: string;

  private constructor(server: Server, file: string, services: SessionServices) {
    this.#server = server;
    this.#file = file;
    server.maxConnections = hostLimits.controlClients;
    server.on('connection', (socket) => {
      socket.on('error', () => undefined);
      const session = new ClientSession(socket, services);
      this.#sessions.add(session);
      void session.closed.then(() => this.#sessions.delete(session));
    });
  }

  /** To be called by whoever holds the lock of the home: a socket that lies there belongs to nobody any more. */
  static async listen(runFolder: string, services: SessionServices): Promise<ControlServer> {
    const place = controlSocket(runFolder);
    try {
      rmSync(place.file, { force: true });
      const server = createServer();
      const control = new ControlServer(server, place.file, services);
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject);
        server.listen(place.address, () => {
          server.off('error', reject);
          resolve();
        });
      });
      server.on('error', ({ message }) => services.note('warn', `a client could not be let in: ${message}`));
      // The folder keeps others out already; this says so to whoever looks.
      chmodSync(place.file, 0o600);
      return control;
    } finally {
      place.close();
    }
  }

  get clients(): number {
    return this.#sessions.size;
  }

  /** Nobody gets in any more. Those who are in stay until `close`. */
  closeDoor(): void {
    rmSync(this.#file, { force: true });
    this.#server.close();
  }

  /** Ends every connection, once what was answered is sent. */
  close(cause: string): void {
    for (const session of this.#sessions) session.close(cause);
  }
}
