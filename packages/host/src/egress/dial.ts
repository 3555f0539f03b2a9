import { connect, type Socket } from 'node:net';
import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';

/** Addresses tried of one name: the others are most likely down for the same reason. */
const triedMax = 4;

/**
 * Connects to the first address that answers, in their order. They are addresses: nothing is resolved again. Rejects
 * with the error of the last one, or with ETIMEDOUT when the time for all of them is over.
 */
export async function dial(
  addresses: readonly string[],
  port: number,
  services: {
    readonly clock: Clock;
    readonly signal?: AbortSignal;
    /** The end of one direction leaves the other open. Default: false. */
    readonly halfOpen?: boolean;
  },
): Promise<Socket> {
  const over = new AbortController();
  const abort = (): void => over.abort(services.signal?.reason);
  services.signal?.addEventListener('abort', abort, { once: true });
  if (services.signal?.aborted === true) abort();
  const timer = services.clock.after(hostLimits.dialTimeoutMs, () => over.abort(timedOut()));
  let last: unknown = new Error('there is no address to connect to');
  try {
    for (const address of addresses.slice(0, triedMax)) {
      over.signal.throwIfAborted();
      try {
        return await dialOne(address, port, services.halfOpen === true, over.signal);
      } catch (error) {
        last = error;
      }
    }
    over.signal.throwIfAborted();
    throw last;
  } finally {
    timer.cancel();
    services.signal?.removeEventListener('abort', abort);
  }
}

function dialOne(host: string, port: number, allowHalfOpen: boolean, signal: AbortSignal): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, noDelay: true, allowHalfOpen });
    const onAbort = (): void => {
      socket.destroy();
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort, { once: true });
    const settle = (run: () => void): void => {
      signal.removeEventListener('abort', onAbort);
      run();
    };
    socket.once('connect', () => settle(() => resolve(socket)));
    // Stays attached: a socket without a listener for errors would end the process.
    socket.on('error', (error) => settle(() => reject(error)));
  });
}

function timedOut(): Error {
  return Object.assign(new Error('The connection was not made in time.'), { code: 'ETIMEDOUT' });
}
