import type { MmmError } from '@mmm/protocol';
import type { PermittedPlugin } from './permit/permitted.ts';
import type { TrustWatch } from './trust-watch.ts';

/** What is needed of a session to end it. */
interface Ended {
  kill(cause: { readonly kind: 'requested'; readonly detail: string }): void;
  readonly exited: Promise<unknown>;
}

/** One launch under the eye of the trust watch: before its process starts, while it opens, and as long as it runs. */
export class WatchedLaunch {
  /** Aborts when the launch is called off, or when what it launches is revoked. */
  readonly signal: AbortSignal;
  readonly #watch: TrustWatch;
  readonly #onWithdrawn: (error: MmmError) => void;
  readonly #abort = new AbortController();
  #error: MmmError | undefined;
  #session: Ended | undefined;
  #unwatch: () => void = () => undefined;

  /** `onWithdrawn` is told before the process is killed. */
  constructor(watch: TrustWatch, signal: AbortSignal, onWithdrawn: (error: MmmError) => void) {
    this.#watch = watch;
    this.#onWithdrawn = onWithdrawn;
    this.signal = AbortSignal.any([signal, this.#abort.signal]);
  }

  /** Why it was ended, once it was. */
  get error(): MmmError | undefined {
    return this.#error;
  }

  /**
   * Called when it is known what will run, and before it does: for an install step, and again for the plugin itself.
   * Throws when that is revoked by now.
   */
  begin({ spec, bundleSha256, trust }: PermittedPlugin): void {
    this.#unwatch();
    const keyid = trust.kind === 'signed' ? trust.keyid : undefined;
    this.#unwatch = this.#watch.watch({ plugin: spec.id, bundleSha256, keyid, end: (error) => this.#end(error) });
    if (this.#error !== undefined) throw this.#error;
  }

  /** Called when it runs. */
  opened(session: Ended): void {
    this.#session = session;
    if (this.#error !== undefined) this.#kill(this.#error);
    void session.exited.then(() => this.#unwatch());
  }

  /** Called when it did not come to that. */
  failed(): void {
    this.#unwatch();
  }

  #end(error: MmmError): void {
    this.#error = error;
    this.#abort.abort(error);
    if (this.#session !== undefined) this.#kill(error);
  }

  #kill(error: MmmError): void {
    this.#onWithdrawn(error);
    this.#session?.kill({ kind: 'requested', detail: error.message });
  }
}
