import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import { malformed, nameOf, type Refusal, type Verdict } from './decide.ts';
import { dial } from './dial.ts';
import { forward } from './forward.ts';
import { parseAuthority, type Target } from './rule.ts';
import type { Traffic } from './traffic.ts';

export interface ProxyParts {
  readonly clock: Clock;
  readonly traffic: Traffic;
  /** Whether this launch may reach a target, and at which addresses. */
  judge(target: Target): Promise<Verdict>;
}

/** What is recorded instead of a target that could not be read: it may hold anything, secrets included. */
const unreadable = '(unreadable)';

/**
 * The way out of one launch: an HTTP proxy that knows one list of hosts. Whoever reaches it is that plugin, so it asks
 * for no password. It opens tunnels (CONNECT) and passes plain requests on (absolute form), both only to addresses it
 * has judged. Everything else is refused with a sentence that says why.
 */
export class EgressProxy {
  readonly server: Server;
  readonly #parts: ProxyParts;
  readonly #sockets = new Set<Duplex>();

  constructor(parts: ProxyParts) {
    this.#parts = parts;
    this.server = createServer(
      {
        maxHeaderSize: hostLimits.proxyHeaderBytes,
        headersTimeout: hostLimits.proxyHeaderTimeoutMs,
        connectionsCheckingInterval: hostLimits.proxyCheckMs,
        // A body may take its time: the plugin's own deadline is what ends it.
        requestTimeout: 0,
        noDelay: true,
      },
      (request, response) => void this.#forward(request, response).catch(() => response.destroy()),
    );
    this.server.maxConnections = hostLimits.proxyConnections;
    this.server.on('connection', (socket) => this.#track(socket));
    this.server.on('connect', (request, client, head) => {
      void this.#tunnel(request, client, head).catch(() => client.destroy());
    });
    this.server.on('upgrade', (_request, client) => {
      client.on('error', () => undefined);
      this.#refuse(client, unreadable, {
        allowed: false,
        reason: 'not_supported',
        message: 'This proxy upgrades no request; open a tunnel with CONNECT instead.',
      });
    });
  }

  /** Listens on a socket file. Rejects when the system refuses it. */
  async listen(path: string): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.once('error', reject);
      this.server.listen(path, () => {
        this.server.off('error', reject);
        resolve();
      });
    });
  }

  /** Stops listening and cuts every connection, at once. */
  close(): void {
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
    this.#sockets.clear();
  }

  #track(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  async #tunnel(request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    client.on('error', () => undefined);
    const asked = request.url ?? '';
    const authority = parseAuthority(asked);
    if (authority === undefined) return this.#refuse(client, unreadable, malformed(asked));
    const target: Target = { scheme: 'tunnel', ...authority };
    const verdict = await this.#parts.judge(target);
    if (!verdict.allowed) return this.#refuse(client, nameOf(target), verdict);
    const gone = new AbortController();
    client.once('close', () => gone.abort());
    if (client.destroyed) return;
    let upstream: Socket;
    try {
      upstream = await dial(verdict.addresses, target.port, {
        clock: this.#parts.clock,
        signal: gone.signal,
        halfOpen: true,
      });
    } catch (error) {
      answer(
        client,
        '502 Bad Gateway',
        'x-mmm-error',
        codeOf(error),
        `${asked} could not be reached: ${codeOf(error)}.`,
      );
      return;
    }
    this.#track(upstream);
    const ended = this.#parts.traffic.allowed(target);
    upstream.once('close', (hadError) => {
      ended(upstream.bytesWritten, upstream.bytesRead);
      if (hadError) client.destroy();
      else endAfterWrites(client);
    });
    client.once('close', () => endAfterWrites(upstream));
    client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
    if (head.length > 0) upstream.write(head);
    client.pipe(upstream);
    upstream.pipe(client);
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = request.url ?? '';
    const [, authority = '', path = ''] = /^http:\/\/([^/?#\\@\s]+)((?:[/?][\x21\x22\x24-\x7e]*)?)$/i.exec(asked) ?? [];
    const place = parseAuthority(authority, 80);
    if (place === undefined) return this.#deny(request, response, unreadable, malformed(asked));
    const target: Target = { scheme: 'http', ...place };
    const verdict = await this.#parts.judge(target);
    if (!verdict.allowed) return this.#deny(request, response, nameOf(target), verdict);
    await forward(request, response, {
      target,
      path: path.startsWith('/') ? path : `/${path}`,
      addresses: verdict.addresses,
      clock: this.#parts.clock,
      ended: this.#parts.traffic.allowed(target),
    });
  }

  #deny(request: IncomingMessage, response: ServerResponse, asked: string, refusal: Refusal): void {
    this.#parts.traffic.refused(asked, refusal);
    const body = `mmm: ${refusal.message}\n`;
    response.writeHead(statusOf(refusal), {
      'content-type': 'text/plain; charset=utf-8',
      'content-length': Buffer.byteLength(body),
      'x-mmm-denied': refusal.reason,
      connection: 'close',
    });
    response.end(body);
    request.resume();
  }

  #refuse(client: Duplex, asked: string, refusal: Refusal): void {
    this.#parts.traffic.refused(asked, refusal);
    const status = statusOf(refusal);
    const phrase = status === 400 ? 'Bad Request' : status === 502 ? 'Bad Gateway' : 'Forbidden';
    answer(client, `${status} ${phrase}`, 'x-mmm-denied', refusal.reason, refusal.message);
  }
}

/** A name without an address is no refusal: the way is open and leads nowhere. */
function statusOf({ reason }: Refusal): number {
  if (reason === 'malformed') return 400;
  return reason === 'unresolved' ? 502 : 403;
}

function answer(client: Duplex, status: string, header: string, value: string, sentence: string): void {
  const body = `mmm: ${sentence}\n`;
  const headers = [
    `HTTP/1.1 ${status}`,
    `${header}: ${value}`,
    'content-type: text/plain; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'connection: close',
  ];
  client.end(`${headers.join('\r\n')}\r\n\r\n${body}`);
}

/** What was accepted is still delivered; what comes in from there is not waited for. */
function endAfterWrites(stream: Duplex): void {
  if (stream.destroyed) return;
  stream.once('finish', () => stream.destroy());
  stream.end();
  if (stream.writableFinished) stream.destroy();
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^[A-Z0-9_]{1,40}$/.test(code) ? code : 'FAILED';
}
