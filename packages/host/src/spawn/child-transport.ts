import type { Readable, Writable } from 'node:stream';
import type { Transport } from '@mmm/rpc';

/**
 * A child's pipes as a transport. stdout stays paused until its reader resumes it, so nothing printed before that is
 * lost. A broken stdin is no event of its own: the exit that follows it is. The end of stdout comes only with the exit
 * of a confined plugin, even if it closes its own: both processes of bubblewrap keep it open as long as they run, and
 * neither has an option to let go of it. Such a plugin is noticed by its calls, which time out.
 */
export function childTransport(stdin: Writable, stdout: Readable): Transport {
  stdout.pause();
  for (const stream of [stdin, stdout]) stream.on('error', () => undefined);
  return { input: stdout, output: stdin };
}
