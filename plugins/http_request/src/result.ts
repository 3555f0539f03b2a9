import type { FetchError, FetchHeaders, FetchResponse } from '@mmm/plugin-sdk';
import { retryAfterSeconds } from './retry-after.ts';

/** What to branch on. */
export type ResultKind =
  | 'success'
  | 'redirect'
  | 'client_error'
  | 'rate_limited'
  | 'server_error'
  | 'timeout'
  | 'connection'
  | 'denied'
  | 'too_large';

export interface RequestOutput {
  readonly result: ResultKind;
  /** Null without an answer. */
  readonly status: number | null;
  /** What answered, after redirects; without an answer what was asked. */
  readonly url: string;
  readonly redirected: boolean;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  /** By `body_type`: any JSON, text, base64, or null for none. */
  readonly body: unknown;
  readonly body_type: 'json' | 'text' | 'base64' | 'none';
  /** From Retry-After; null without it. */
  readonly retry_after_s: number | null;
  /** Why there is no answer, or none that could be used; null when there is. */
  readonly error: { readonly message: string; readonly detail: string | null } | null;
  readonly duration_ms: number;
}
type Untimed = Omit<RequestOutput, 'duration_ms'>;

export interface Wanted {
  readonly as: 'auto' | 'json' | 'text' | 'base64';
  readonly bytesMax: number;
}

/** The result of an answer. Never rejects: a body that is not what was wanted is given as it is. */
export async function readAnswer(answer: FetchResponse, wanted: Wanted, nowMs: number): Promise<Untimed> {
  const { status, url, redirected, headers } = answer;
  const bytes = await answer.bytes();
  const head = {
    status,
    url,
    redirected,
    headers: headerTable(headers),
    retry_after_s: retryAfterSeconds(headers.get('retry-after'), headers.get('date'), nowMs),
  };
  if (bytes.length > wanted.bytesMax) {
    const message = `The answer has ${bytes.length} bytes; max_bytes is ${wanted.bytesMax}.`;
    return { result: 'too_large', ...head, body: null, body_type: 'none', error: { message, detail: null } };
  }
  return { result: kindOfStatus(status), ...head, ...readBody(bytes, headers, wanted.as), error: null };
}

/** The result of a request without an answer. */
export function failed({ reason, message, detail, url }: FetchError, asked: URL): Untimed {
  return {
    result: reason === 'invalid' ? 'connection' : reason,
    status: null,
    url: url ?? asked.href,
    redirected: url !== undefined && url !== asked.href,
    headers: {},
    body: null,
    body_type: 'none',
    retry_after_s: null,
    error: { message, detail: detail ?? null },
  };
}

export function kindOfStatus(status: number): ResultKind {
  if (status === 429) return 'rate_limited';
  if (status >= 500) return 'server_error';
  if (status >= 400) return 'client_error';
  if (status >= 300) return 'redirect';
  return status >= 200 ? 'success' : 'connection';
}

function headerTable(headers: FetchHeaders): Record<string, string | readonly string[]> {
  const cookies = headers.setCookies.length === 0 ? {} : { 'set-cookie': headers.setCookies };
  return { ...headers.toRecord(), ...cookies };
}

type Body = Pick<RequestOutput, 'body' | 'body_type'>;
const textTypes =
  /^(?:text\/.*|application\/(?:.*\+)?(?:json|xml|yaml)|application\/(?:javascript|x-www-form-urlencoded))$/;

function readBody(bytes: Uint8Array, headers: FetchHeaders, as: Wanted['as']): Body {
  if (bytes.length === 0) return { body: null, body_type: 'none' };
  const { type, charset } = contentType(headers.get('content-type') ?? '');
  const base64 = (): Body => ({ body: Buffer.from(bytes).toString('base64'), body_type: 'base64' });
  if (as === 'base64') return base64();
  // What says that it is no text is none; what says nothing is text if it can be.
  const text = decodeText(bytes, charset, as !== 'auto' || textTypes.test(type));
  if (text === undefined || (as === 'auto' && type !== '' && !textTypes.test(type))) return base64();
  if (as === 'json' || (as === 'auto' && /[/+]json$/.test(type))) {
    try {
      return { body: JSON.parse(text) as unknown, body_type: 'json' };
    } catch {
      // It only says that it is JSON.
    }
  }
  return { body: text, body_type: 'text' };
}

function contentType(header: string): { readonly type: string; readonly charset: string } {
  const [type = '', ...parameters] = header.toLowerCase().split(';');
  const charset = parameters.map((part) => /^\s*charset\s*=\s*"?([^"\s]+)/.exec(part)?.[1]).find(Boolean);
  return { type: type.trim(), charset: charset ?? 'utf-8' };
}

/** Undefined for bytes that are no text; with `lenient` every byte becomes some character. */
function decodeText(bytes: Uint8Array, charset: string, lenient: boolean): string | undefined {
  const decode = (label: string): string => new TextDecoder(label, { fatal: !lenient }).decode(bytes);
  try {
    return decode(charset);
  } catch {
    return lenient ? decode('utf-8') : undefined;
  }
}
