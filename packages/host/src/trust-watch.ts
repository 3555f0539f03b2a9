import { type TrustStore, withdrawn } from '@mmm/bundle';
import type { MmmError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import type { AuditSink } from './audit/audit-log.ts';
import { hostLimits } from './limits.ts';
import { WatchedRuns } from './watched-runs.ts';

/** One launch, from before its process starts until that is gone. */
export interface WatchedRun {
  readonly plugin: string;
  readonly bundleSha256: string;
  /** The key that vouched for it; undefined for one that is unsigned. */
  readonly keyid: string | undefined;
  /** Ends it at once. Called at most once. */
  end(error: MmmError): void;
}

export interface TrustWatchParts {
  readonly trust: TrustStore;
  readonly clock: Pick<Clock, 'after'>;
  readonly audit: AuditSink;
}

/**
 * Ends what runs as soon as nobody vouches for it any more, because a key or a bundle was revoked: by this process, or
 * by another one that wrote the trust store, which is looked at every `hostLimits.trustPollMs` for as long as anything
 * runs. Each end is audited.
 */
export class TrustWatch {
  readonly #parts: TrustWatchParts;
  readonly #runs: WatchedRuns<WatchedRun>;
  #revision: number;

  constructor(parts: TrustWatchParts) {
    this.#parts = parts;
    this.#revision = parts.trust.revision;
    this.#runs = new WatchedRuns({ clock: parts.clock, pollMs: hostLimits.trustPollMs, look: () => this.check() });
  }

  /** Watches one launch until the returned function is called. What was revoked since it was verified ends it now. */
  watch(run: WatchedRun): () => void {
    const end = this.#runs.add(run);
    this.#check(run);
    return end;
  }

  /** Called when this process changed the trust store, so that nothing has to wait for the next look. */
  check(): void {
    const { trust } = this.#parts;
    try {
      trust.refresh();
    } catch {
      // A store that cannot be read vouches for no new start, and says nothing new about what runs.
      return;
    }
    if (trust.revision === this.#revision) return;
    this.#revision = trust.revision;
    for (const run of this.#runs) this.#check(run);
  }

  #check(run: WatchedRun): void {
    const { plugin, bundleSha256, keyid } = run;
    const error = withdrawn({ name: plugin, bundleSha256, keyid }, this.#parts.trust);
    if (error === undefined || !this.#runs.take(run)) return;
    run.end(error);
    try {
      const detail = { why: error.code, bundle: bundleSha256, keyid: keyid ?? null, reason: error.message };
      this.#parts.audit.append({ action: 'stop', plugin, detail });
    } catch {
      // It is ended, recorded or not: a log that cannot be written must not keep a revoked plugin alive.
    }
  }
}
