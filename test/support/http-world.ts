import { createServer as createHttpServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';

type Cleanup = Pick<TestContext, 'after'>;

export interface Listening {
  readonly port: number;
  /** Connections so far. */
  readonly connections: () => number;
  close(): Promise<void>;
}

/** Listens on this machine until the test ends. */
async function listen(t: Cleanup, server: Server | NetServer): Promise<Listening> {
  const sockets = new Set<Socket>();
  let connections = 0;
  server.on('connection', (socket: Socket) => {
    connections += 1;
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const close = (): Promise<void> => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(() => resolve()));
  };
  t.after(close);
  return { port: (server.address() as AddressInfo).port, connections: () => connections, close };
}

/** A small httpbin: what it answers is in the path. `redirects` are the targets of /redirect/NAME. */
export function friendlyServer(t: Cleanup, redirects: Readonly<Record<string, string>> = {}): Promise<Listening> {
  const server = createHttpServer((request, response) => {
    void answer(request, response, redirects);
  });
  return listen(t, server);
}

const sample = JSON.stringify({ text: 'ü'.repeat(5000) });

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  redirects: Readonly<Record<string, string>>,
): Promise<void> {
  const url = new URL(request.url ?? '/', 'http://server');
  const [, kind = '', detail = ''] = url.pathname.split('/');
  const json = (status: number, value: unknown, headers: Record<string, string | string[]> = {}): void => {
    response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(JSON.stringify(value));
  };
  const packed = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync }[kind];
  if (packed !== undefined) {
    const headers = { 'content-type': 'application/json', 'content-encoding': kind };
    response.writeHead(200, headers).end(packed(detail === 'bomb' ? Buffer.alloc(64 * 1024 * 1024) : sample));
    return;
  }
  switch (kind) {
    case 'echo': {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk as Buffer);
      const body = Buffer.concat(chunks).toString('latin1');
      json(200, { method: request.method, path: url.pathname, query: url.search, headers: request.headers, body });
      return;
    }
    case 'status':
      json(Number(detail), { status: Number(detail) });
      return;
    case 'retry':
      json(
        Number(detail),
        {},
        { 'retry-after': url.searchParams.get('after') ?? '', date: url.searchParams.get('now') ?? '' },
      );
      return;
    case 'redirect':
      response.writeHead(302, { location: redirects[detail] ?? '/redirect/loop' }).end();
      return;
    case 'cookies':
      json(200, {}, { 'set-cookie': ['a=1; Expires=Thu, 01 Jan 2026 00:00:00 GMT', 'b=2'] });
      return;
    case 'bytes':
      response.writeHead(200, { 'content-type': 'application/octet-stream' }).end(Buffer.alloc(Number(detail), 0xff));
      return;
    case 'latin1':
      response
        .writeHead(200, { 'content-type': 'text/plain; charset=iso-8859-1' })
        .end(Buffer.from('gr\u00fcn', 'latin1'));
      return;
    case 'silence':
      return;
    default:
      response.writeHead(200).end();
  }
}

/** Speaks bytes, not HTTP: what goes wrong is in the path. */
export function rudeServer(t: Cleanup): Promise<Listening> {
  const server = createServer((socket) => {
    socket.once('data', (data: Buffer) => {
      const [, kind = ''] = /^\w+ \/(\w+)/.exec(data.toString('latin1')) ?? [];
      const head = 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n';
      const replies: Readonly<Record<string, () => void>> = {
        cut: () => socket.end(`${head}Content-Length: 1000\r\n\r\nonly this`),
        reset: () => socket.write(`${head}Content-Length: 1000\r\n\r\nonly this`, () => socket.resetAndDestroy()),
        chunk: () => socket.end(`${head}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n`),
        garbage: () => socket.end('ELEPHANTS 1.1 not HTTP\r\n\r\n'),
        close: () => socket.end(),
        half: () => socket.write(`${head}Content-Length: 1000\r\n\r\nonly this`),
        liar: () => socket.end(`${head}Content-Encoding: gzip\r\nContent-Length: 8\r\n\r\nnot gzip`),
        headers: () => socket.end(`${head}X: ${'x'.repeat(100_000)}\r\n\r\n`),
        endless: () => {
          socket.write(`${head}\r\n`);
          const more = (): void => {
            while (socket.writable && socket.write(Buffer.alloc(65_536, 'x')));
          };
          socket.on('drain', more);
          more();
        },
      };
      // Anything else is never answered.
      replies[kind]?.();
    });
  });
  return listen(t, server);
}

/** Counts who comes, and says nothing. */
export function silentListener(t: Cleanup): Promise<Listening> {
  return listen(t, createServer());
}

/** A port on which nobody listens any more. */
export async function closedPort(t: Cleanup): Promise<number> {
  const listening = await silentListener(t);
  await listening.close();
  return listening.port;
}
