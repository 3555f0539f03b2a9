import { PassThrough } from 'node:stream';
import {
  type CloseCause,
  type Connection,
  type ConnectionFault,
  type ConnectionOptions,
  connect,
  type FaultKind,
} from '@mmm/rpc';
import { FakeClock, settled } from './fake-clock.ts';

/** A connection whose peer is the test itself: it writes raw bytes and reads raw bytes. */
export interface RawPeer {
  readonly connection: Connection;
  readonly clock: FakeClock;
  /** What the connection reads. */
  readonly input: PassThrough;
  /** What the connection writes. */
  readonly output: PassThrough;
  readonly strays: string[];
  readonly faults: ConnectionFault[];
  readonly faultKinds: FaultKind[];
  /** Writes bytes to the connection and lets it handle them. */
  send(bytes: string | Buffer | object): Promise<void>;
  /** What the connection wrote since the last time, as messages. */
  received(): Promise<Record<string, unknown>[]>;
  /** What the connection wrote since the last time, as text. */
  text(): Promise<string>;
}

export function rawPeer(options: Partial<ConnectionOptions> = {}): RawPeer {
  const clock = new FakeClock();
  const input = new PassThrough();
  const output = new PassThrough();
  const strays: string[] = [];
  const faults: ConnectionFault[] = [];
  const faultKinds: FaultKind[] = [];
  const connection = connect(
    { input, output },
    {
      framing: 'ndjson',
      clock,
      onStray: (line) => void strays.push(line),
      onFault: (fault) => {
        faults.push(fault);
        faultKinds.push(fault.kind);
      },
      ...options,
    },
  );
  const text = async (): Promise<string> => {
    await settled();
    return ((output.read() as Buffer | null) ?? '').toString();
  };
  return {
    connection,
    clock,
    input,
    output,
    strays,
    faults,
    faultKinds,
    send: async (bytes) => {
      input.write(typeof bytes === 'string' || Buffer.isBuffer(bytes) ? bytes : `${JSON.stringify(bytes)}\n`);
      await settled();
    },
    received: async () =>
      (await text())
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>),
    text,
  };
}

/** One message with an LSP header. */
export function framed(message: unknown): string {
  const body = typeof message === 'string' ? message : JSON.stringify(message);
  return `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`;
}

export function isClosed(connection: Connection): Promise<CloseCause | 'open'> {
  return Promise.race([connection.closed, settled().then(() => 'open' as const)]);
}
