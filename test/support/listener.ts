import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer as createHttpServer, type RequestListener } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import type { TestContext } from 'node:test';

export interface Listener {
  readonly port: number;
  /** Connections, or datagrams, that arrived so far. */
  readonly received: () => number;
}

type Cleanup = Pick<TestContext, 'after'>;

/** An HTTP server of this machine, gone after the test. */
export async function httpListener(t: Cleanup, answer: RequestListener): Promise<Listener> {
  let received = 0;
  const server = createHttpServer(answer).on('connection', () => received++);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return { port: (server.address() as AddressInfo).port, received: () => received };
}

/** Takes connections on one address and counts them. */
export async function tcpListener(t: Cleanup, host = '127.0.0.1'): Promise<Listener> {
  let received = 0;
  const server = createServer((socket) => {
    received++;
    socket.destroy();
  }).listen(0, host);
  await once(server, 'listening');
  t.after(() => server.close());
  return { port: (server.address() as AddressInfo).port, received: () => received };
}

/** Takes datagrams on the loopback and counts them. `arrived` waits for the next one. */
export async function udpListener(t: Cleanup): Promise<Listener & { arrived(): Promise<unknown> }> {
  let received = 0;
  const socket = createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  socket.on('message', () => received++);
  t.after(() => socket.close());
  return { port: socket.address().port, received: () => received, arrived: () => once(socket, 'message') };
}
