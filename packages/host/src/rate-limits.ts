import type { MmmError } from '@mmm/protocol';
import type { Clock, Timer } from '@mmm/rpc';
import type { AuditSink } from './audit/audit-log.ts';
import { hostLimits } from './limits.ts';
import type { MetricsRecorder } from './metrics/recorder.ts';

export interface RateLimitsParts {
  readonly clock: Pick<Clock, 'after' | 'monotonic'>;
  readonly audit: AuditSink;
  readonly metrics: Pick<MetricsRecorder, 'count'>;
}

interface Refusals {
  /** Since the last line. */
  unlogged: number;
  /** Since the last entry of the audit log. */
  unaudited: number;
  auditedAtMs: number;
  timer: Timer | undefined;
}

/**
 * Tells of calls that were refused because there were too many: each is counted; the first of a second has a line in
 * the plugin's log, the others of it one line together; and one a minute an entry in the audit log, with how many.
 */
export class RateLimits {
  readonly #parts: RateLimitsParts;
  readonly #plugins = new Map<string, Refusals>();

  constructor(parts: RateLimitsParts) {
    this.#parts = parts;
  }

  refused(plugin: string, error: MmmError<'RATE_LIMITED'>, note: (message: string) => void): void {
    const { clock, metrics } = this.#parts;
    metrics.count(plugin, 'rateLimited');
    const refusals = this.#of(plugin);
    refusals.unaudited += 1;
    if (clock.monotonic() - refusals.auditedAtMs >= hostLimits.rateLimitAuditMs) this.#record(plugin, error, refusals);
    if (refusals.timer !== undefined) {
      refusals.unlogged += 1;
      return;
    }
    note(error.message);
    refusals.timer = clock.after(1000, () => this.#logRest(refusals, error.data.callsPerSecond, note)).unref();
  }

  #logRest(refusals: Refusals, callsPerSecond: number, note: (message: string) => void): void {
    refusals.timer = undefined;
    const { unlogged } = refusals;
    refusals.unlogged = 0;
    if (unlogged === 0) return;
    const calls = unlogged === 1 ? 'one more call was' : `${unlogged} more calls were`;
    note(`${calls} refused in that second: it takes ${callsPerSecond} calls a second (calls_per_second)`);
  }

  #record(plugin: string, error: MmmError<'RATE_LIMITED'>, refusals: Refusals): void {
    const calls = refusals.unaudited;
    refusals.unaudited = 0;
    refusals.auditedAtMs = this.#parts.clock.monotonic();
    try {
      const detail = { limit: 'calls_per_second', allowed: error.data.callsPerSecond, calls };
      this.#parts.audit.append({ action: 'limit', plugin, detail });
    } catch {
      // The call is refused, recorded or not.
    }
  }

  #of(plugin: string): Refusals {
    let refusals = this.#plugins.get(plugin);
    if (refusals === undefined) {
      refusals = { unlogged: 0, unaudited: 0, auditedAtMs: Number.NEGATIVE_INFINITY, timer: undefined };
      this.#plugins.set(plugin, refusals);
    }
    return refusals;
  }
}
