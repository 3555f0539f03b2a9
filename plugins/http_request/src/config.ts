import { PluginError } from '@mmm/plugin-sdk';

/** How a request says who sends it. */
export type Auth =
  | { readonly type: 'basic'; readonly username: string; readonly password: string }
  | { readonly type: 'bearer'; readonly token: string };

/** The configuration, as config.schema.json describes and checks it. */
export interface HttpConfig {
  readonly base_url: URL | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeout_s: number;
  readonly max_bytes: number;
  /** Sent to the origin of `base_url` and nowhere else. */
  readonly auth: Auth | undefined;
}

interface Written {
  readonly base_url?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly timeout_s?: number;
  readonly max_bytes?: number;
  readonly auth?: { readonly username?: string; readonly password?: string; readonly token?: string };
}

/** Fills in the defaults. The host has checked the types. */
export function readConfig(value: unknown): HttpConfig {
  const { base_url: base, headers = {}, timeout_s = 30, max_bytes = 1_048_576, auth = {} } = (value ?? {}) as Written;
  return {
    base_url: base === undefined ? undefined : baseUrl(base),
    headers,
    timeout_s,
    max_bytes,
    auth: authOf(auth),
  };
}

function baseUrl(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isPlain = url !== undefined && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  if (isPlain && url.search === '' && url.hash === '') return url;
  throw wrong('base_url', 'must be an http or https address without a password, a query and a fragment');
}

function authOf({ username, password, token }: NonNullable<Written['auth']>): Auth | undefined {
  if (token !== undefined && username !== undefined) throw wrong('auth', 'has a token and a username: which is it?');
  if (token !== undefined) return { type: 'bearer', token };
  return username === undefined ? undefined : { type: 'basic', username, password: password ?? '' };
}

function wrong(path: string, message: string): PluginError {
  return new PluginError(`${path} ${message}.`, { kind: 'invalid_config', details: { issues: [{ path, message }] } });
}
