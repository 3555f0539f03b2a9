import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Clock } from '@mmm/rpc';
import type { Refusal, Verdict } from './decide.ts';
import { dial } from './dial.ts';
import type { Target } from './rule.ts';
import type { Traffic } from './traffic.ts';

export interface TunnelParts {
  readonly clock: Clock;
  readonly traffic: Traffic;
  judge(target: Target): Promise<Verdict>;
  /** Told of each connection to a host as soon as it is there. */
  connected(upstream: Socket): void;
}

/** What became of a wish to reach a host. */
export type Way =
  | { readonly kind: 'open'; readonly upstream: Socket }
  | { readonly kind: 'refused'; readonly refusal: Refusal }
  /** The host was not reached; `code` is the system's, such as ECONNREFUSED. */
  | { readonly kind: 'failed'; readonly code: string }
  /** Whoever asked has gone meanwhile. */
  | { readonly kind: 'gone' };

/** Judges a target and connects to it, while `client` is there to want it. Resolves also with what went wrong. */
export async function openTunnel(client: Duplex, target: Target, parts: TunnelParts): Promise<Way> {
  const verdict = await parts.judge(target);
  if (client.destroyed) return { kind: 'gone' };
  if (!verdict.allowed) return { kind: 'refused', refusal: verdict };
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  client.once('close', leave);
  try {
    const { clock } = parts;
    const upstream = await dial(verdict.addresses, target.port, { clock, signal: gone.signal, halfOpen: true });
    parts.connected(upstream);
    const ended = parts.traffic.allowed(target);
    upstream.once('close', () => ended(upstream.bytesWritten, upstream.bytesRead));
    return { kind: 'open', upstream };
  } catch (error) {
    return client.destroyed ? { kind: 'gone' } : { kind: 'failed', code: codeOf(error) };
  } finally {
    client.off('close', leave);
  }
}

/** Passes bytes on, both ways and unread, until both ends have said all they had to say or one of them breaks off. */
export function join(client: Duplex, upstream: Socket): void {
  upstream.once('close', (hadError) => {
    if (hadError) client.destroy();
    else endAfterWrites(client);
  });
  client.once('close', () => endAfterWrites(upstream));
  if (client.destroyed) upstream.destroy();
  client.pipe(upstream);
  upstream.pipe(client);
}

/** What was accepted is still delivered; what comes in from there is not waited for. */
function endAfterWrites(stream: Duplex): void {
  if (stream.destroyed) return;
  stream.once('finish', () => stream.destroy());
  stream.end();
  if (stream.writableFinished) stream.destroy();
}

function codeOf(error: unknown): string {
  const { code } = error as { code?: unknown };
  return typeof code === 'string' && /^[A-Z0-9_]{1,40}$/.test(code) ? code : 'FAILED';
}
