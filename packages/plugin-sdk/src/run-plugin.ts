import type { CloseCause } from '@mmm/rpc';
import type { Plugin } from './define-plugin.ts';
import { serve } from './serve.ts';
import { guardStdout } from './stdout-guard.ts';

/**
 * Serves the plugin on stdin and stdout and ends the process when the host is done with it: with 0 after a `shutdown`
 * or the end of stdin, with 1 when the conversation could not go on or `stop` threw. Whatever the code prints goes to
 * stderr. An error nobody caught ends the process with its stack on stderr, as Node does; the host shows both.
 */
export function runPlugin(plugin: Plugin): void {
  const { output } = guardStdout();
  if (process.stdin.isTTY) {
    console.error(
      'This is a plugin: it reads JSON-RPC on stdin, one message a line. `mmm plugin exec` runs it for you.',
    );
  }
  const served = serve(
    plugin,
    { input: process.stdin, output },
    {
      onStray: (line) => console.error('not a message:', line),
      onUnexpected: (thrown) => console.error(thrown),
    },
  );
  served.closed.then(
    (cause) => process.exit(exitCodeOf(cause)),
    (error: unknown) => {
      console.error(error);
      process.exit(1);
    },
  );
}

/** Programs the plugin left running, open timers and sockets must not keep it alive: the host would have to kill it. */
function exitCodeOf(cause: CloseCause): number {
  if (cause.kind === 'ended' || cause.kind === 'disposed') return 0;
  console.error(`The connection to the host failed: ${cause.detail}`);
  return 1;
}
