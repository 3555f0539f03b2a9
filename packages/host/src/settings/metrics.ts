import * as z from 'zod';

/** `ADDRESS:PORT`, an IPv6 address in brackets. */
const addressAndPort = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:/[\]]+)):(\d{1,5})$/;

export type ListenAddress = { readonly host: string; readonly port: number } | { readonly path: string };

/** Undefined for what is neither an address with a port nor the absolute path of a socket. */
export function listenAddressOf(text: string): ListenAddress | undefined {
  // As long as the name of a unix socket may be.
  if (text.startsWith('/')) return text.length < 104 ? { path: text } : undefined;
  const [, six, other, port] = addressAndPort.exec(text) ?? [];
  const host = six ?? other;
  if (host === undefined || Number(port) > 65_535) return undefined;
  return { host, port: Number(port) };
}

/** Where metrics are served: `127.0.0.1:9464`, `[::1]:9464`, or the absolute path of a unix socket. */
export const listenAddress = z.string().refine((text) => listenAddressOf(text) !== undefined, {
  error: 'must be ADDRESS:PORT, such as 127.0.0.1:9464, or the absolute path of a unix socket',
});

/** `[metrics]` of config.toml. */
export const metricsSection = z.strictObject({
  listen: listenAddress
    .optional()
    .describe('Where the daemon serves Prometheus: ADDRESS:PORT or the path of a unix socket. Without it: nowhere.'),
});
