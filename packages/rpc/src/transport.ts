import type { Readable, Writable } from 'node:stream';

/** A pair of byte streams and the moment they end. A child process, a socket and an in-memory pair all fit. */
export interface Transport {
  /** Bytes from the peer. */
  readonly input: Readable;
  /** Bytes to the peer. */
  readonly output: Writable;
}
