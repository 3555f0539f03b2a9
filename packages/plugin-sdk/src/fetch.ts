import { type HostMethods, type ParamsInput, type Result, RpcError } from '@mmm/protocol';
import { CallFailed, systemClock } from '@mmm/rpc';
import type { CallHost } from './context.ts';
import { FetchError, type FetchFailure } from './fetch-error.ts';
import { FetchHeaders, type HeadersInput } from './fetch-headers.ts';

export type FetchBody = string | Uint8Array | URLSearchParams;

export interface FetchOptions {
  /** Default GET. */
  readonly method?: string;
  /** Without `accept-encoding` the host asks for compression and undoes it; with it the body comes as it was sent. */
  readonly headers?: HeadersInput;
  /** Text is sent as UTF-8, URLSearchParams as a form. */
  readonly body?: FetchBody;
  /** Sent as the body, as JSON. */
  readonly json?: unknown;
  /** Ends the request early. Inside a call the call's own signal is used when this is left out. */
  readonly signal?: AbortSignal;
  /** How long the answer may take, redirects included. Without it the host's own deadline decides. */
  readonly timeoutMs?: number;
  /** Default `follow`. `manual` resolves with the redirect itself; `error` rejects. */
  readonly redirect?: 'follow' | 'manual' | 'error';
  /** Default 20. */
  readonly maxRedirects?: number;
}

/** A whole answer, whatever its status. The body is here, at most 5 MiB of it, and can be read more than once. */
export interface FetchResponse {
  readonly status: number;
  /** The status is from 200 to 299. */
  readonly ok: boolean;
  readonly headers: FetchHeaders;
  /** Where the answer came from, after redirects. */
  readonly url: string;
  readonly redirected: boolean;
  bytes(): Promise<Uint8Array>;
  text(): Promise<string>;
  /** Rejects with a SyntaxError when the body is not JSON. */
  json(): Promise<unknown>;
}

/**
 * Makes an HTTP request through the host, which allows what the plugin's network grant allows: every redirect is a
 * request of its own and checked like the first. Rejects with a FetchError that tells why there is no answer.
 */
export type Fetch = (url: string | URL, options?: FetchOptions) => Promise<FetchResponse>;

const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);
const redirectsMax = 20;
/** What belongs to one origin and is not told to another one. */
const originHeaders = ['authorization', 'cookie', 'proxy-authorization'] as const;

interface Hop {
  readonly url: URL;
  readonly method: string;
  readonly headers: FetchHeaders;
  readonly body: FetchBody | undefined;
}

/** `fetch` over a way to ask the host. */
export function fetchOver(host: CallHost): Fetch {
  return async (url, options = {}) => {
    const { redirect = 'follow', maxRedirects = redirectsMax, timeoutMs } = options;
    const startedAtMs = systemClock.monotonic();
    let hop = firstHop(url, options);
    for (let redirects = 0; ; redirects += 1) {
      const restMs = timeoutMs === undefined ? undefined : timeoutMs - (systemClock.monotonic() - startedAtMs);
      const answer = await ask(host, hop, restMs, options.signal);
      const location = redirectStatuses.has(answer.status) ? answer.headers.get('location') : null;
      if (location === null || redirect === 'manual') return response(answer, hop.url, redirects > 0);
      if (redirect === 'error' || redirects === maxRedirects) {
        const problem = redirect === 'error' ? 'answered with a redirect' : `redirects more than ${maxRedirects} times`;
        throw new FetchError('redirect', hop.url, `${origin(hop.url)} ${problem}.`);
      }
      hop = nextHop(hop, answer.status, location);
    }
  };
}

function firstHop(target: string | URL, options: FetchOptions): Hop {
  const url = readUrl(target);
  const method = (options.method ?? 'GET').toUpperCase();
  const headers = new FetchHeaders(options.headers);
  const body = options.json === undefined ? options.body : JSON.stringify(options.json);
  if (body !== undefined && (method === 'GET' || method === 'HEAD')) {
    throw new FetchError('invalid', url, `A ${method} request has no body.`);
  }
  headers.setDefault('accept', '*/*');
  if (options.json !== undefined) headers.setDefault('content-type', 'application/json');
  if (body instanceof URLSearchParams) {
    headers.setDefault('content-type', 'application/x-www-form-urlencoded;charset=UTF-8');
  }
  if (typeof body === 'string') headers.setDefault('content-type', 'text/plain;charset=UTF-8');
  return { url, method, headers, body };
}

function readUrl(target: string | URL, base?: URL): URL {
  let url: URL;
  try {
    url = new URL(target, base);
  } catch {
    throw new FetchError('invalid', undefined, `"${String(target).slice(0, 200)}" is not a URL.`);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw new FetchError('invalid', url, `Only http and https can be fetched, not ${url.protocol}`);
  }
  if (url.username === '' && url.password === '') return url;
  throw new FetchError(
    'invalid',
    url,
    'A URL with a user name or password is not fetched: send an Authorization header.',
  );
}

/** As browsers do it: a POST becomes a GET but for 307 and 308, and what was for one origin stays there. */
function nextHop(hop: Hop, status: number, location: string): Hop {
  const url = readUrl(location, hop.url);
  if (url.hash === '') url.hash = hop.url.hash;
  const headers = new FetchHeaders(hop.headers);
  if (url.origin !== hop.url.origin) for (const name of originHeaders) headers.delete(name);
  const isRead = hop.method === 'GET' || hop.method === 'HEAD';
  const becomesGet = status === 303 ? !isRead : status < 303 && hop.method === 'POST';
  if (!becomesGet) return { ...hop, url, headers };
  for (const name of headers.names()) if (name.startsWith('content-')) headers.delete(name);
  return { url, method: 'GET', headers, body: undefined };
}

type Answer = Pick<FetchResponse, 'status' | 'headers' | 'bytes' | 'text'>;

async function ask(host: CallHost, hop: Hop, restMs: number | undefined, signal?: AbortSignal): Promise<Answer> {
  signal?.throwIfAborted();
  if (restMs !== undefined && restMs <= 0) throw timedOut(hop.url);
  const asked = new URL(hop.url);
  asked.hash = '';
  const params: ParamsInput<HostMethods['fetch']> = {
    url: asked.href,
    method: hop.method,
    headers: hop.headers.toRecord(),
    ...wireBody(hop.body),
    ...(restMs === undefined ? {} : { timeout_ms: restMs }),
  };
  try {
    // The host measures a request; what it waited for its turn is measured here.
    const answer = await host('fetch', params, {
      ...(restMs === undefined ? {} : { timeoutMs: restMs }),
      ...(signal === undefined ? {} : { signal }),
    });
    return { status: answer.status, headers: FetchHeaders.received(answer.headers), ...readBody(answer) };
  } catch (error) {
    signal?.throwIfAborted();
    throw failure(error, hop.url);
  }
}

function wireBody(body: FetchBody | undefined): Pick<ParamsInput<HostMethods['fetch']>, 'body' | 'body_encoding'> {
  if (body === undefined) return {};
  if (!(body instanceof Uint8Array)) return { body: String(body) };
  const bytes = Buffer.from(body.buffer, body.byteOffset, body.byteLength);
  return { body: bytes.toString('base64'), body_encoding: 'base64' };
}

function readBody({ body, body_encoding: encoding }: Result<HostMethods['fetch']>): Pick<Answer, 'bytes' | 'text'> {
  const bytes = (): Uint8Array => Buffer.from(body, encoding);
  // A byte order mark at the beginning is no part of the text.
  const text = (): string => (encoding === 'base64' ? new TextDecoder().decode(bytes()) : body.replace(/^\uFEFF/, ''));
  return { bytes: async () => bytes(), text: async () => text() };
}

/** What the host or this side of the wire says, as the reason there is no answer. Anything else stays as it is. */
function failure(error: unknown, url: URL): unknown {
  if (error instanceof CallFailed) {
    if (error.reason === 'timeout') return timedOut(url);
    return error.reason === 'too_large' ? new FetchError('too_large', url, error.message) : error;
  }
  if (!(error instanceof RpcError) || error.is('MethodNotFound')) return error;
  return new FetchError(reasonOf(error), url, error.message, { cause: error, details: error.data?.details });
}

function reasonOf(error: RpcError): FetchFailure {
  if (error.is('PermissionDenied')) return 'denied';
  if (error.is('Timeout')) return 'timeout';
  if (error.is('MessageTooLarge')) return 'too_large';
  if (error.is('InvalidParams')) return 'invalid';
  return 'connection';
}

function timedOut(url: URL): FetchError {
  return new FetchError('timeout', url, `${origin(url)} did not answer in time.`);
}

/** What may be shown of a URL: its path and query can hold secrets. */
function origin(url: URL): string {
  return url.origin;
}

function response(answer: Answer, from: URL, redirected: boolean): FetchResponse {
  return {
    ...answer,
    ok: answer.status >= 200 && answer.status <= 299,
    url: from.href,
    redirected,
    json: async () => JSON.parse(await answer.text()) as unknown,
  };
}
