import { validateHeaderName, validateHeaderValue } from 'node:http';
import { RpcError } from '@mmm/protocol';
import { hostLimits } from '../limits.ts';
import { endToEndHeaders, hopByHop } from './headers.ts';

/** Set by the host from what is really sent, as browsers do; left out without a word when a plugin sets them. */
const ours = new Set([...hopByHop, 'host', 'content-length', 'expect']);

/** A plugin's headers in lower case, checked. Throws InvalidParams for one that cannot be sent. */
export function fetchHeaders(
  headers: Readonly<Record<string, string>>,
  body: Buffer | undefined,
): Record<string, string> {
  const sent: Record<string, string> = Object.create(null);
  let bytes = 0;
  for (const [name, value] of Object.entries(headers)) {
    try {
      validateHeaderName(name);
      validateHeaderValue(name, value);
    } catch {
      const path = `headers.${name.slice(0, 100)}`;
      throw RpcError.of('InvalidParams', `${path} is not a header that can be sent.`, [
        { path, message: 'is not a header that can be sent' },
      ]);
    }
    bytes += name.length + value.length;
    if (!ours.has(name.toLowerCase())) sent[name.toLowerCase()] = value;
  }
  if (bytes > hostLimits.proxyHeaderBytes) {
    const message = `must be at most ${hostLimits.proxyHeaderBytes} bytes together`;
    throw RpcError.of('InvalidParams', `headers ${message}.`, [{ path: 'headers', message }]);
  }
  if (body !== undefined) sent['content-length'] = String(body.length);
  return sent;
}

/**
 * The answer's headers, names in lower case. Repeated ones are joined by a comma, `set-cookie` by a line break, since
 * commas stand in cookies. What described a coding that was undone is left out.
 */
export function responseHeaders(raw: readonly string[], decoded: boolean): Record<string, string> {
  const kept = endToEndHeaders(raw, decoded ? ['content-encoding', 'content-length'] : []);
  return Object.fromEntries(
    Object.entries(kept).map(([name, value]) => {
      return [name, typeof value === 'string' ? value : value.join(name === 'set-cookie' ? '\n' : ', ')];
    }),
  );
}
