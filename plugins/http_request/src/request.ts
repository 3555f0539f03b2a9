import { type FetchOptions, PluginError } from '@mmm/plugin-sdk';
import type { Auth, HttpConfig } from './config.ts';

type Scalar = string | number | boolean;
type Fields = Readonly<Record<string, Scalar | readonly Scalar[]>>;

/** The input of the action, as schemas/request.input.json describes it. */
export interface RequestInput {
  readonly url: string;
  readonly method?: string;
  readonly query?: Fields;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  readonly form?: Fields;
  readonly text?: string;
  readonly base64?: string;
  readonly auth?: Auth | { readonly type: 'none' };
  readonly timeout_s?: number;
  readonly follow_redirects?: boolean;
  readonly max_redirects?: number;
  readonly max_bytes?: number;
  readonly response?: 'auto' | 'json' | 'text' | 'base64';
  readonly expand?: boolean;
}

export interface BuiltRequest {
  readonly url: URL;
  readonly options: FetchOptions;
}

const bodyNames = ['json', 'form', 'text', 'base64'] as const;

/** The request that the input and the configuration make together. Throws a PluginError that names the field. */
export function buildRequest(input: RequestInput, config: HttpConfig): BuiltRequest {
  const url = targetOf(input.url, config.base_url);
  for (const [name, value] of pairs(input.query ?? {})) url.searchParams.append(name, value);
  const headers = new Map<string, string>();
  for (const [name, value] of [...Object.entries(config.headers), ...Object.entries(input.headers ?? {})]) {
    headers.set(name.toLowerCase(), value);
  }
  const isAtHome = config.base_url !== undefined && config.base_url.origin === url.origin;
  // A header in the call goes before the configuration, and `auth` in the call before both.
  const auth = input.auth ?? (isAtHome && !headers.has('authorization') ? config.auth : undefined);
  if (auth !== undefined && auth.type !== 'none') headers.set('authorization', authorization(auth));
  return {
    url,
    options: {
      method: input.method ?? 'GET',
      headers,
      ...bodyOf(input),
      timeoutMs: (input.timeout_s ?? config.timeout_s) * 1000,
      redirect: input.follow_redirects === false ? 'manual' : 'follow',
      maxRedirects: input.max_redirects ?? 10,
    },
  };
}

/** An absolute URL, or a path below `base_url`. */
function targetOf(written: string, base: URL | undefined): URL {
  if (/^[a-z][a-z0-9+.-]*:/i.test(written)) {
    if (URL.canParse(written)) return new URL(written);
    throw wrong('url', 'is not a URL');
  }
  if (base === undefined) throw wrong('url', 'must begin with http:// or https://, for there is no base_url');
  return new URL(`${base.href.replace(/\/$/, '')}/${written.replace(/^\/+/, '')}`);
}

function pairs(fields: Fields): [string, string][] {
  return Object.entries(fields).flatMap(([name, value]) =>
    [value].flat().map((one): [string, string] => [name, String(one)]),
  );
}

function authorization(auth: Auth): string {
  if (auth.type === 'bearer') return `Bearer ${auth.token}`;
  if (auth.username.includes(':')) throw wrong('auth.username', 'cannot hold a colon');
  return `Basic ${Buffer.from(`${auth.username}:${auth.password}`, 'utf8').toString('base64')}`;
}

function bodyOf(input: RequestInput): Pick<FetchOptions, 'body' | 'json'> {
  const given = bodyNames.filter((name) => input[name] !== undefined);
  if (given.length > 1) throw wrong(given[1] ?? '', `cannot stand beside ${given[0]}: a request has one body`);
  const isRead = ['GET', 'HEAD'].includes(input.method ?? 'GET');
  if (given.length > 0 && isRead) throw wrong('method', `must be POST or another one that has a body, for ${given[0]}`);
  if (input.json !== undefined) return { json: input.json };
  if (input.form !== undefined) return { body: new URLSearchParams(pairs(input.form)) };
  if (input.base64 !== undefined) return { body: Buffer.from(input.base64, 'base64') };
  return input.text === undefined ? {} : { body: input.text };
}

function wrong(path: string, message: string): PluginError {
  return new PluginError(`${path} ${message}.`, { kind: 'invalid_params', details: { issues: [{ path, message }] } });
}
