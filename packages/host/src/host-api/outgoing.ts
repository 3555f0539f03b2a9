import { RpcError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';

/** What one plugin has on its way to others, in its whole life in this host. */
interface Account {
  bytes: number;
  left: number;
  refilledAtMs: number;
  open: number;
}

/**
 * Bounds what a plugin asks of other plugins: so many requests a second, and so many bytes on their way. The number of
 * requests that are open at once is bounded by its connection.
 */
export class Outgoing {
  readonly #clock: Pick<Clock, 'monotonic'>;
  readonly #accounts = new Map<string, Account>();

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock;
  }

  /** Does the work within the bounds. Throws Busy instead. `receivers` counts as so many requests. */
  async within<T>(plugin: string, payload: unknown, receivers: number, work: () => Promise<T>): Promise<T> {
    const account = this.#refilled(plugin);
    const bytes = (JSON.stringify(payload)?.length ?? 0) * receivers;
    if (account.left < receivers) {
      const rate = hostLimits.peerRequestsPerSecond;
      throw RpcError.of('Busy', `A plugin may ask others ${rate} times a second. Try again in a moment.`);
    }
    if (account.bytes > 0 && account.bytes + bytes > hostLimits.peerBytes) {
      const mb = hostLimits.peerBytes / 1024 / 1024;
      throw RpcError.of('Busy', `More than ${mb} MiB of yours are on their way. Wait for answers before sending more.`);
    }
    account.left -= receivers;
    account.bytes += bytes;
    account.open += 1;
    try {
      return await work();
    } finally {
      account.bytes -= bytes;
      account.open -= 1;
    }
  }

  #refilled(plugin: string): Account {
    const nowMs = this.#clock.monotonic();
    const most = hostLimits.peerRequestsPerSecond;
    let account = this.#accounts.get(plugin);
    if (account === undefined) {
      account = { bytes: 0, left: most, refilledAtMs: nowMs, open: 0 };
      this.#accounts.set(plugin, account);
    }
    account.left = Math.min(most, account.left + ((nowMs - account.refilledAtMs) / 1000) * most);
    account.refilledAtMs = nowMs;
    return account;
  }
}
