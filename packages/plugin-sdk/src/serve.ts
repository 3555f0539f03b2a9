import { wireLimits } from '@mmm/protocol';
import { type CloseCause, type Connection, type ConnectionOptions, connect, type Transport } from '@mmm/rpc';
import type { Plugin } from './define-plugin.ts';
import { ServedSession } from './served-session.ts';

export interface ServeOptions {
  /** How answers are written; `mirror`, the default, uses the framing of the host's first message. */
  readonly framing?: ConnectionOptions['framing'];
  /** A line on the input that is no message. Default: ignored. */
  readonly onStray?: (line: string) => void;
  /** What a handler threw that is no PluginError: its caller gets the message, whoever mends it needs the stack. */
  readonly onUnexpected?: (thrown: unknown) => void;
}

/**
 * The host bounds what it sends by the manifest's limits, which the plugin need not know: here the most that a
 * manifest may ask for is taken, and as many requests at once as its largest `concurrency` and a few for the session.
 */
const pluginLimits = { messageBytes: wireLimits.messageBytesMax, hostRequestsInFlight: 5000 } as const;

/** One session of a plugin over one transport. */
export interface Served {
  /** Resolves when the transport is done and `stop` has run. Rejects with what `stop` threw. */
  readonly closed: Promise<CloseCause>;
  close(): void;
}

/** Serves the plugin over any transport: a process's pipes, a socket, a pair in memory. Returns at once. */
export function serve(plugin: Plugin, transport: Transport, options: ServeOptions = {}): Served {
  const session = new ServedSession(plugin, (): Connection => connection, options.onUnexpected);
  const connection = connect(transport, {
    framing: options.framing ?? 'mirror',
    exposeErrors: true,
    limits: pluginLimits,
    finishOnEnd: true,
    ...session.handlers(),
    ...(options.onStray === undefined ? {} : { onStray: options.onStray }),
  });
  const closed = connection.closed.then(async (cause) => {
    await session.stop('the host closed the connection');
    return cause;
  });
  // Whoever does not wait for the end still must not lose the process to a failing `stop`.
  closed.catch(() => undefined);
  return { closed, close: () => connection.close() };
}
