import { request as httpRequest, type IncomingMessage, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import { dial } from './dial.ts';
import { endToEndHeaders, type HeaderRecord } from './headers.ts';
import { formatAuthority, type Target } from './rule.ts';
import type { EndOfConnection } from './traffic.ts';

export interface ForwardParts {
  readonly target: Target;
  /** Begins with `/`. */
  readonly path: string;
  /** Judged, and dialled as they are. */
  readonly addresses: readonly string[];
  readonly clock: Clock;
  readonly ended: EndOfConnection;
  /** Told of the connection to the host as soon as it is there. */
  connected(upstream: Socket): void;
}

/**
 * Passes one plain request on and its answer back. The `Host` header is what was judged, whatever the plugin wrote, and
 * the body is framed anew, so that both ends agree where a message stops. Resolves when the answer is over.
 */
export async function forward(request: IncomingMessage, response: ServerResponse, parts: ForwardParts): Promise<void> {
  const headers = requestHeaders(request, parts.target);
  if (headers === undefined) return fail(request, response, 400, 'only the transfer coding "chunked" is passed on');
  const gone = new AbortController();
  response.once('close', () => gone.abort());
  // Cut while it was judged: its end has been told already.
  if (response.destroyed) return;
  let socket: Socket;
  try {
    socket = await dial(parts.addresses, parts.target.port, { clock: parts.clock, signal: gone.signal });
  } catch (error) {
    return fail(request, response, 502, `the host could not be reached (${codeOf(error)})`);
  }
  parts.connected(socket);
  socket.once('close', () => parts.ended(socket.bytesWritten, socket.bytesRead));
  await new Promise<void>((resolve) => {
    const upstream = httpRequest({
      createConnection: () => socket,
      method: request.method,
      path: parts.path,
      headers,
      setHost: false,
      insecureHTTPParser: false,
      maxHeaderSize: hostLimits.proxyHeaderBytes,
    });
    upstream.on('response', (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.statusMessage ?? '', endToEndHeaders(answer.rawHeaders));
      answer.pipe(response);
      // An answer that broke off must not look complete.
      answer.once('error', () => response.destroy());
    });
    const broken = (why: string): void => {
      if (response.headersSent) response.destroy();
      else fail(request, response, 502, why);
    };
    upstream.on('error', (error) => broken(`the connection broke off (${codeOf(error)})`));
    // Without this an answer that changes the protocol would be the end of the connection and not of the request.
    upstream.once('upgrade', (_answer, socket) => {
      socket.destroy();
      broken('the host changed the protocol, which nobody asked for');
    });
    request.once('error', () => upstream.destroy());
    response.once('close', () => {
      upstream.destroy();
      resolve();
    });
    if (response.destroyed) upstream.destroy();
    else request.pipe(upstream);
  });
}

/** Undefined for a body whose framing could be read in two ways. */
function requestHeaders(request: IncomingMessage, target: Target): HeaderRecord | undefined {
  const coding = request.headers['transfer-encoding'];
  if (coding !== undefined && coding.toLowerCase() !== 'chunked') return undefined;
  return {
    ...endToEndHeaders(request.rawHeaders, ['host', 'expect', ...(coding === undefined ? [] : ['content-length'])]),
    host:
      target.port === 80
        ? formatAuthority(target.host, 80).replace(/:80$/, '')
        : formatAuthority(target.host, target.port),
    ...(coding === undefined ? {} : { 'transfer-encoding': 'chunked' }),
    connection: 'close',
  };
}

function fail(request: IncomingMessage, response: ServerResponse, status: number, why: string): void {
  const body = `mmm: ${why}.\n`;
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
  });
  response.end(body);
  request.resume();
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' ? code : 'failed';
}
