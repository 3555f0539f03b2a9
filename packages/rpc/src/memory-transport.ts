import { PassThrough } from 'node:stream';
import type { Transport } from './transport.ts';

/** Two transports, each the other's peer: for in-process plugins and for tests. */
export function memoryTransportPair(): [Transport, Transport] {
  const there = new PassThrough();
  const back = new PassThrough();
  return [
    { input: back, output: there },
    { input: there, output: back },
  ];
}
