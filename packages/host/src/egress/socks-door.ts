import type { Socket } from 'node:net';
import { malformed, nameOf, type Refusal } from './decide.ts';
import type { Target } from './rule.ts';
import {
  readSocksGreeting,
  readSocksRequest,
  type SocksReading,
  type SocksReply,
  socksAnswer,
  socksChoice,
  socksPieceBytesMax,
} from './socks.ts';
import { unreadable } from './traffic.ts';
import { join, openTunnel, type TunnelParts } from './tunnel.ts';

export interface SocksParts extends TunnelParts {
  /** Called when a client has said what it wants, or what cannot be understood: until then it is on time. */
  understood(): void;
}

/** How a client that cannot be helped is answered before it is cut off. */
interface Parting {
  readonly bytes: Buffer;
  readonly refusal: Refusal;
}

/**
 * Serves one client that speaks SOCKS 5: CONNECT without a password, to a name or an address that is judged as any
 * other. The host resolves names; an address that a plugin resolved itself is covered by no rule for a name.
 */
export async function serveSocks(client: Socket, parts: SocksParts): Promise<void> {
  const asked = await negotiate(client);
  if (asked === undefined) return;
  parts.understood();
  if ('refusal' in asked) {
    parts.traffic.refused(unreadable, asked.refusal);
    client.end(asked.bytes);
    return;
  }
  const target: Target = { scheme: 'tunnel', ...asked };
  const way = await openTunnel(client, target, parts);
  switch (way.kind) {
    case 'gone':
      return;
    case 'refused':
      parts.traffic.refused(nameOf(target), way.refusal);
      client.end(socksAnswer(way.refusal.reason === 'unresolved' ? 'host_unreachable' : 'not_allowed'));
      return;
    case 'failed':
      client.end(socksAnswer(failures[way.code] ?? 'general_failure'));
      return;
    case 'open':
      client.write(socksAnswer('succeeded'));
      join(client, way.upstream);
  }
}

const failures: Readonly<Record<string, SocksReply>> = {
  ECONNREFUSED: 'connection_refused',
  ENETUNREACH: 'network_unreachable',
  EHOSTUNREACH: 'host_unreachable',
  ETIMEDOUT: 'host_unreachable',
};

/**
 * Resolves with what the client wants, what to say to it, or undefined when it has gone. The client is paused then, and
 * what it sent after its request is still to be read.
 */
async function negotiate(
  client: Socket,
): Promise<{ readonly host: string; readonly port: number } | Parting | undefined> {
  const pieces = new Pieces(client);
  try {
    const greeting = await pieces.next(readSocksGreeting);
    if (greeting === undefined) return undefined;
    if (greeting.kind === 'invalid') return parting(greeting.why, socksChoice(false));
    if (!greeting.value) return parting('it does not offer to go without a password', socksChoice(false));
    client.write(socksChoice(true));
    const request = await pieces.next(readSocksRequest);
    if (request?.kind === 'invalid') return parting(request.why, socksAnswer(request.reply));
    return request?.value;
  } finally {
    pieces.handBack();
  }
}

function parting(why: string, bytes: Buffer): Parting {
  const refusal: Refusal = { ...malformed(''), message: `A SOCKS client was refused: ${why}.` };
  return { bytes, refusal };
}

/** Reads a client's bytes piece by piece and keeps no more than one piece can have. */
class Pieces {
  readonly #client: Socket;
  #bytes: Buffer = Buffer.alloc(0);
  #wake = (): void => undefined;
  readonly #onData = (data: Buffer): void => {
    this.#bytes = Buffer.concat([this.#bytes, data]);
    this.#client.pause();
    this.#wake();
  };
  readonly #onEnd = (): void => {
    this.#isOver = true;
    this.#wake();
  };
  #isOver = false;

  constructor(client: Socket) {
    this.#client = client;
    client.on('data', this.#onData);
    client.once('end', this.#onEnd).once('close', this.#onEnd);
    client.pause();
  }

  /** The next piece, whole or invalid; undefined when the client ends within it. */
  async next<T>(
    read: (bytes: Buffer) => SocksReading<T>,
  ): Promise<Exclude<SocksReading<T>, { kind: 'more' }> | undefined> {
    for (;;) {
      const reading = read(this.#bytes.subarray(0, socksPieceBytesMax));
      if (reading.kind === 'whole') this.#bytes = this.#bytes.subarray(reading.bytes);
      if (reading.kind !== 'more') return reading;
      if (this.#isOver) {
        this.#client.destroy();
        return undefined;
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
        this.#client.resume();
      });
    }
  }

  /** Gives back what was read too far. */
  handBack(): void {
    this.#client.off('data', this.#onData).off('end', this.#onEnd).off('close', this.#onEnd);
    this.#client.pause();
    if (this.#bytes.length > 0 && !this.#client.destroyed) this.#client.unshift(this.#bytes);
  }
}
