import { chmodSync, lstatSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { connect, isIP } from 'node:net';
import { hostLimits } from '../limits.ts';
import type { ListenAddress } from '../settings/metrics.ts';
import { prometheusMediaType } from './prometheus.ts';

/** Serves `GET /metrics` and nothing else. */
export interface MetricsEndpoint {
  /** `http://127.0.0.1:9464/metrics`, or the path of the socket. */
  readonly address: string;
  close(): Promise<void>;
}

/**
 * Listens until it is closed; it does not keep a program running. Whoever reaches it reads the metrics: it asks for no
 * password, and a unix socket is for its user alone. One text is made at a time, for all who ask meanwhile. Throws an
 * Error that says why it cannot listen.
 */
export async function serveMetrics(listen: ListenAddress, text: () => Promise<string>): Promise<MetricsEndpoint> {
  const isLocal = 'host' in listen && isLoopback(listen.host);
  const once = oneAtATime(text);
  const server = createServer(
    { maxHeaderSize: hostLimits.metricsHeaderBytes, headersTimeout: hostLimits.metricsRequestMs },
    (request, response) => {
      void answer(request, response, once, isLocal);
    },
  );
  server.requestTimeout = hostLimits.metricsRequestMs;
  server.maxConnections = hostLimits.metricsConnections;
  if ('path' in listen) await removeStale(listen.path);
  await listening(server, listen);
  if ('path' in listen) chmodSync(listen.path, 0o600);
  server.unref();
  return {
    address: addressOf(server, listen),
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  text: () => Promise<string>,
  isLocal: boolean,
): Promise<void> {
  request.resume();
  const [status, body] = refusal(request, isLocal) ?? [200, ''];
  if (status !== 200) {
    const allow = status === 405 ? { allow: 'GET' } : {};
    response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...allow }).end(body);
    return;
  }
  try {
    const metrics = await text();
    response.writeHead(200, { 'content-type': prometheusMediaType, 'cache-control': 'no-store' }).end(metrics);
  } catch {
    // Why is for the log of whoever runs it, not for whoever asks.
    response.writeHead(503, { 'content-type': 'text/plain; charset=utf-8' }).end('The metrics cannot be read now.\n');
  }
}

function refusal({ method, url, headers }: IncomingMessage, isLocal: boolean): readonly [number, string] | undefined {
  // A web page that gave its own name the address 127.0.0.1 must not read what is served on this machine alone.
  if (isLocal && !isOwnName(headers.host ?? '')) return [403, 'Ask by the address that is listened on.\n'];
  if (url?.split('?', 1)[0] !== '/metrics') return [404, 'There is /metrics and nothing else.\n'];
  return method === 'GET' ? undefined : [405, 'Only GET.\n'];
}

function isOwnName(host: string): boolean {
  const name = host.replace(/:\d*$/, '').replace(/^\[(.*)\]$/, '$1');
  return name === 'localhost' || isIP(name) !== 0;
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function oneAtATime(text: () => Promise<string>): () => Promise<string> {
  let running: Promise<string> | undefined;
  return () => {
    running ??= text().finally(() => {
      running = undefined;
    });
    return running;
  };
}

function listening(server: Server, listen: ListenAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen('path' in listen ? { path: listen.path } : listen, () => {
      server.off('error', reject);
      // Of a connection that cannot be accepted, for want of descriptors: the next one may be.
      server.on('error', () => undefined);
      resolve();
    });
  });
}

/** What a process that was killed left behind; a socket that somebody listens on stays, and listening fails. */
async function removeStale(path: string): Promise<void> {
  if (lstatSync(path, { throwIfNoEntry: false })?.isSocket() !== true) return;
  const isUsed = await new Promise<boolean>((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    socket.once('connect', () => socket.destroy());
  });
  if (!isUsed) rmSync(path, { force: true });
}

function addressOf(server: Server, listen: ListenAddress): string {
  const bound = server.address();
  if ('path' in listen || bound === null || typeof bound === 'string') return 'path' in listen ? listen.path : '';
  const host = bound.family === 'IPv6' ? `[${bound.address}]` : bound.address;
  return `http://${host}:${bound.port}/metrics`;
}
