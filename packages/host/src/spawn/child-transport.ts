import type { Readable, Writable } from 'node:stream';
import type { Transport } from '@mmm/rpc';

/**
 * A child's pipes as a transport. stdout stays paused until its reader resumes it, so nothing printed before that is
 * lost. A broken stdin is no event of its own: the exit that follows it is.
 */
export function childTransport(stdin: Writable, stdout: Readable): Transport {
  stdout.pause();
  for (const stream of [stdin, stdout]) stream.on('error', () => undefined);
  return { input: stdout, output: stdin };
}
