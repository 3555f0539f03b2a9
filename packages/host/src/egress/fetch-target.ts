import { RpcError } from '@mmm/protocol';
import { canonicalHost, type Target } from './rule.ts';

/** What a URL asks for. Throws InvalidParams for one that is not http or https, or that holds a password. */
export function fetchTarget(text: string): { readonly url: URL; readonly target: Target } {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || (url.protocol !== 'http:' && url.protocol !== 'https:')) {
    throw invalid('url', 'must be an http or https URL');
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid('url', 'must hold no password; send an Authorization header');
  }
  const host = canonicalHost(url.hostname);
  if (host === undefined) throw invalid('url', 'has a host that cannot be granted');
  const scheme = url.protocol === 'https:' ? 'https' : 'http';
  const port = url.port === '' ? (scheme === 'https' ? 443 : 80) : Number(url.port);
  if (port === 0) throw invalid('url', 'has port 0');
  return { url, target: { scheme, host, port } };
}

/** The answer to a request that is not one. */
export function invalid(path: string, message: string): RpcError {
  return RpcError.of('InvalidParams', `${path} ${message}.`, [{ path, message }]);
}
