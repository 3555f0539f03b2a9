import { request as httpRequest, type IncomingMessage } from 'node:http';
import { isIP, type Socket } from 'node:net';
import { connect as connectTls, rootCertificates } from 'node:tls';
import { type HostMethods, type Params, type Result, RpcError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import { nameOf, type Verdict } from './decide.ts';
import { dial } from './dial.ts';
import { acceptedCodings, readBody, requestBody } from './fetch-body.ts';
import { fetchHeaders, responseHeaders } from './fetch-headers.ts';
import { fetchTarget, invalid } from './fetch-target.ts';
import { formatAuthority, type Target } from './rule.ts';
import type { Traffic } from './traffic.ts';

export type FetchRequest = Params<HostMethods['fetch']>;
export type FetchResponse = Result<HostMethods['fetch']>;

export interface FetchParts {
  readonly clock: Clock;
  readonly traffic: Traffic;
  /** Ends the request. A reason that is an RpcError is what the plugin gets; without one it was cancelled. */
  readonly signal: AbortSignal;
  readonly certificates?: readonly string[];
  judge(target: Target): Promise<Verdict>;
}

/**
 * Makes one HTTP request for a plugin and reads the whole answer. Follows no redirect: the plugin asks again, and that
 * is judged again. Rejects with the RpcError for the plugin: InvalidParams, PermissionDenied, Timeout, MessageTooLarge,
 * RequestCancelled, or NetworkFailed, whose details name the reason.
 */
export async function fetchOnce(request: FetchRequest, parts: FetchParts): Promise<FetchResponse> {
  const { url, target } = fetchTarget(request.url);
  const body = requestBody(request);
  const headers = fetchHeaders(request.headers, body);
  const timeoutMs = Math.min(request.timeout_ms ?? hostLimits.fetchTimeoutMs, hostLimits.fetchTimeoutMaxMs);
  const over = new AbortController();
  const abort = (): void => {
    const { reason } = parts.signal;
    const cancelled = `The request to ${nameOf(target)} was cancelled.`;
    over.abort(reason instanceof RpcError ? reason : RpcError.of('RequestCancelled', cancelled));
  };
  const timer = parts.clock.after(timeoutMs, () => {
    over.abort(
      RpcError.of('Timeout', `${nameOf(target)} did not answer within ${timeoutMs} ms.`, { timeout_ms: timeoutMs }),
    );
  });
  parts.signal.addEventListener('abort', abort, { once: true });
  if (parts.signal.aborted) abort();
  try {
    const socket = await connect(target, parts, over.signal);
    try {
      const answer = await exchange(socket, { url, target, headers, body, method: request.method }, over.signal);
      const status = answer.statusCode ?? 0;
      const isEmpty = request.method.toUpperCase() === 'HEAD' || status === 204 || status === 304;
      const decode = !isEmpty && headers['accept-encoding'] === undefined;
      const read = await readBody(answer, { decode, bytesMax: hostLimits.fetchBodyBytes });
      const answered = responseHeaders(answer.rawHeaders, read.decoded);
      return { status, headers: answered, body: read.text, body_encoding: read.encoding };
    } finally {
      socket.destroy();
    }
  } catch (error) {
    // What ended it first is the reason: the broken socket that follows is only its trace.
    if (over.signal.aborted) throw over.signal.reason;
    throw error instanceof RpcError ? error : networkFailed(error, target);
  } finally {
    timer.cancel();
    parts.signal.removeEventListener('abort', abort);
  }
}

/** A connection to a judged address; for https with the certificate checked against the name. */
async function connect(target: Target, parts: FetchParts, signal: AbortSignal): Promise<Socket> {
  const verdict = await raced(parts.judge(target), signal);
  if (!verdict.allowed) {
    parts.traffic.refused(nameOf(target), verdict);
    if (verdict.reason === 'unresolved') throw failed(verdict.message, 'dns', target);
    throw RpcError.of('PermissionDenied', verdict.message, { reason: verdict.reason });
  }
  const socket = await dial(verdict.addresses, target.port, { clock: parts.clock, signal });
  const ended = parts.traffic.allowed(target);
  socket.once('close', () => ended(socket.bytesWritten, socket.bytesRead));
  if (target.scheme === 'http') return socket;
  return await secure(socket, target, parts.certificates, signal);
}

async function secure(
  socket: Socket,
  target: Target,
  certificates: readonly string[] | undefined,
  signal: AbortSignal,
): Promise<Socket> {
  const encrypted = connectTls({
    socket,
    host: target.host,
    // No name is sent to an address; the certificate is then checked for the address.
    ...(isIP(target.host) === 0 ? { servername: target.host } : {}),
    ALPNProtocols: ['http/1.1'],
    ...(certificates === undefined ? {} : { ca: [...rootCertificates, ...certificates] }),
  });
  const done = new Promise<Socket>((resolve, reject) => {
    encrypted.once('secureConnect', () => resolve(encrypted));
    encrypted.on('error', (error) => reject(tlsFailed(error, target)));
    encrypted.once('close', () => reject(failed(`${nameOf(target)} closed the connection.`, 'cut', target)));
  });
  return await raced(done, signal).catch((error: unknown) => {
    encrypted.destroy();
    socket.destroy();
    throw error;
  });
}

interface Exchange {
  readonly url: URL;
  readonly target: Target;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer | undefined;
  readonly method: string;
}

/** Sends the request; resolves with the answer's head. When `signal` aborts, the socket and with it the body is cut. */
async function exchange(socket: Socket, parts: Exchange, signal: AbortSignal): Promise<IncomingMessage> {
  const { url, target, body, method } = parts;
  if (!/^[A-Za-z][A-Za-z-]{0,31}$/.test(method) || /^(?:connect|trace)$/i.test(method)) {
    throw invalid('method', 'must be an HTTP method other than CONNECT and TRACE');
  }
  const portDefault = target.scheme === 'https' ? 443 : 80;
  const authority = formatAuthority(target.host, target.port);
  const host = target.port === portDefault ? authority.slice(0, authority.lastIndexOf(':')) : authority;
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    const request = httpRequest({
      createConnection: () => socket,
      method: method.toUpperCase(),
      path: `${url.pathname}${url.search}`,
      headers: { accept: '*/*', 'accept-encoding': acceptedCodings, ...parts.headers, host, connection: 'close' },
      setHost: false,
      insecureHTTPParser: false,
      maxHeaderSize: hostLimits.proxyHeaderBytes,
    });
    request.once('response', resolve);
    request.on('error', reject);
    request.once('upgrade', () => reject(protocolChanged()));
    signal.addEventListener('abort', () => socket.destroy(), { once: true });
    request.end(body);
  });
  return await raced(answer, signal);
}

/** `work`, or the reason of the abort as soon as that comes. */
async function raced<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  signal.throwIfAborted();
  let onAbort = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    onAbort = (): void => reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
  });
  return await Promise.race([work, aborted]).finally(() => signal.removeEventListener('abort', onAbort));
}

type FailureReason = 'dns' | 'refused' | 'unreachable' | 'tls' | 'cut' | 'invalid_response';

const reasons: Readonly<Record<string, FailureReason>> = {
  ECONNREFUSED: 'refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ETIMEDOUT: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  ECONNRESET: 'cut',
  EPIPE: 'cut',
};

function networkFailed(error: unknown, target: Target): RpcError {
  const { code, message } = error as { code?: unknown; message?: unknown };
  const name = typeof code === 'string' ? code : '';
  const reason = reasons[name] ?? (name.startsWith('HPE_') || name.startsWith('Z_') ? 'invalid_response' : 'cut');
  const why = { refused: 'refused the connection', unreachable: 'cannot be reached', cut: 'broke off the connection' };
  const sentence = why[reason as keyof typeof why] ?? `sent an answer that is not valid HTTP (${String(message)})`;
  return failed(`${nameOf(target)} ${sentence}.`, reason, target);
}

function protocolChanged(): Error {
  return Object.assign(new Error('a change of protocol that nobody asked for'), { code: 'HPE_UPGRADE' });
}

function tlsFailed(error: Error, target: Target): RpcError {
  const { code = '' } = error as { code?: string };
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return failed(`${nameOf(target)} closed the connection.`, 'cut', target);
  return failed(`${nameOf(target)} could not prove who it is: ${error.message}.`, 'tls', target);
}

function failed(message: string, reason: FailureReason, target: Target): RpcError {
  return RpcError.of('NetworkFailed', message, { reason, host: target.host, port: target.port });
}
