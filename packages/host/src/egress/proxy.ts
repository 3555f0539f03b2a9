import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock, Timer } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import { malformed, nameOf, type Refusal, type Verdict } from './decide.ts';
import { forward } from './forward.ts';
import { IdleCut } from './idle-cut.ts';
import { parseAuthority, type Target } from './rule.ts';
import { socksVersion } from './socks.ts';
import { serveSocks } from './socks-door.ts';
import { type Traffic, unreadable } from './traffic.ts';
import { join, openTunnel, type TunnelParts } from './tunnel.ts';

export interface ProxyParts {
  readonly clock: Clock;
  readonly traffic: Traffic;
  /** Whether this launch may reach a target, and at which addresses. */
  judge(target: Target): Promise<Verdict>;
}

/**
 * The way out of one launch: a proxy that knows one list of hosts and speaks HTTP and SOCKS 5 on the same socket.
 * Whoever reaches it is that plugin, so it asks for no password. It opens tunnels (CONNECT of both) and passes plain
 * requests on (absolute form), all only to addresses it has judged; what a tunnel carries is not read. Everything else
 * is refused with a sentence that says why.
 */
export class EgressProxy {
  readonly server: Server;
  readonly #parts: ProxyParts;
  readonly #tunnels: TunnelParts;
  readonly #idle: IdleCut;
  readonly #sockets = new Set<Duplex>();
  /** Ends a client that has not said what it wants in time. */
  readonly #deadlines = new WeakMap<Duplex, Timer>();

  constructor(parts: ProxyParts) {
    this.#parts = parts;
    this.#idle = new IdleCut(parts.clock);
    this.#tunnels = { ...parts, connected: (upstream) => this.#connected(upstream) };
    this.server = createServer(
      {
        maxHeaderSize: hostLimits.proxyHeaderBytes,
        // For the requests after the first one; that one has a deadline from its connection on.
        headersTimeout: hostLimits.proxyHeaderTimeoutMs,
        connectionsCheckingInterval: hostLimits.proxyCheckMs,
        // A body may take its time: the plugin's own deadline is what ends it.
        requestTimeout: 0,
        noDelay: true,
        // Whatever the program around this host set: two readings of one message are how requests are smuggled.
        insecureHTTPParser: false,
      },
      (request, response) => void this.#forward(request, response).catch(() => response.destroy()),
    );
    this.server.maxConnections = hostLimits.proxyConnections;
    for (const event of ['request', 'connect', 'upgrade'] as const) {
      this.server.prependListener(event, ({ socket }: IncomingMessage) => this.#deadlines.get(socket)?.cancel());
    }
    this.#chooseProtocol();
    this.server.on('connect', (request, client, head) => {
      void this.#tunnel(request, client, head).catch(() => client.destroy());
    });
    this.server.on('upgrade', (_request, client) => {
      client.on('error', () => undefined);
      this.#refuse(client, unreadable, notSupported('upgrades no request; open a tunnel with CONNECT instead'));
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

  /** The first byte of a client says which protocol it speaks; only then is it served. */
  #chooseProtocol(): void {
    const [serveHttp] = this.server.listeners('connection');
    if (serveHttp === undefined) throw new Error('an HTTP server listens for connections');
    this.server.removeAllListeners('connection');
    this.server.on('connection', (client: Socket) => {
      this.#track(client);
      const cut = (): void => void client.destroy();
      const deadline = this.#parts.clock.after(hostLimits.proxyHeaderTimeoutMs, cut).unref();
      this.#deadlines.set(client, deadline);
      client.once('close', () => deadline.cancel());
      client.on('error', cut).once('end', cut);
      client.once('data', (first: Buffer) => {
        client.off('end', cut);
        client.pause();
        client.unshift(first);
        if (first[0] === socksVersion) {
          void serveSocks(client, { ...this.#tunnels, understood: () => deadline.cancel() }).catch(cut);
        } else {
          serveHttp.call(this.server, client);
          client.resume();
        }
      });
    });
  }

  #track(socket: Duplex): void {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
  }

  #connected(upstream: Socket): void {
    this.#track(upstream);
    this.#idle.watch(upstream);
  }

  async #tunnel(request: IncomingMessage, client: Duplex, head: Buffer): Promise<void> {
    client.on('error', () => undefined);
    const asked = request.url ?? '';
    const authority = parseAuthority(asked);
    if (authority === undefined) return this.#refuse(client, unreadable, malformed(asked));
    const target: Target = { scheme: 'tunnel', ...authority };
    const { 'content-length': length, 'transfer-encoding': coding } = request.headers;
    if (length !== undefined || coding !== undefined || hasTwoHosts(request)) {
      return this.#refuse(client, nameOf(target), ambiguous('a CONNECT request has no content and one Host header'));
    }
    const way = await openTunnel(client, target, this.#tunnels);
    switch (way.kind) {
      case 'gone':
        return;
      case 'refused':
        return this.#refuse(client, nameOf(target), way.refusal);
      case 'failed':
        answer(client, '502 Bad Gateway', 'x-mmm-error', way.code, `${asked} could not be reached: ${way.code}.`);
        return;
      case 'open':
        client.write('HTTP/1.1 200 Connection Established\r\n\r\n');
        if (head.length > 0) way.upstream.write(head);
        join(client, way.upstream);
    }
  }

  async #forward(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const asked = request.url ?? '';
    const [, authority = '', path = ''] = /^http:\/\/([^/?#\\@\s]+)((?:[/?][\x21\x22\x24-\x7e]*)?)$/i.exec(asked) ?? [];
    const place = parseAuthority(authority, 80);
    if (place === undefined) return this.#deny(request, response, unreadable, malformed(asked));
    const target: Target = { scheme: 'http', ...place };
    if (!/^1\.[01]$/.test(request.httpVersion)) {
      return this.#deny(request, response, nameOf(target), notSupported('takes requests of HTTP/1.1 and 1.0 only'));
    }
    if (hasTwoHosts(request)) {
      return this.#deny(request, response, nameOf(target), ambiguous('a request has one Host header'));
    }
    const verdict = await this.#parts.judge(target);
    if (!verdict.allowed) return this.#deny(request, response, nameOf(target), verdict);
    await forward(request, response, {
      target,
      path: path.startsWith('/') ? path : `/${path}`,
      addresses: verdict.addresses,
      clock: this.#parts.clock,
      ended: this.#parts.traffic.allowed(target),
      connected: (upstream) => this.#connected(upstream),
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
    answer(client, `${status} ${STATUS_CODES[status]}`, 'x-mmm-denied', refusal.reason, refusal.message);
  }
}

/** A name without an address is no refusal: the way is open and leads nowhere. */
function statusOf({ reason }: Refusal): number {
  if (reason === 'malformed') return 400;
  if (reason === 'unrecorded') return 503;
  return reason === 'unresolved' ? 502 : 403;
}

function notSupported(what: string): Refusal {
  return { allowed: false, reason: 'not_supported', message: `This proxy ${what}.` };
}

/** What two programs could read in two ways is passed on to none. */
function ambiguous(rule: string): Refusal {
  return { allowed: false, reason: 'malformed', message: `The request could be read in two ways: ${rule}.` };
}

function hasTwoHosts({ rawHeaders }: IncomingMessage): boolean {
  return rawHeaders.filter((text, index) => index % 2 === 0 && text.toLowerCase() === 'host').length > 1;
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
