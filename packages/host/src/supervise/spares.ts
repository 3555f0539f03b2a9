import type { Clock, Timer } from '@mmm/rpc';
import type { Session } from '../handshake/session.ts';
import { hostLimits } from '../limits.ts';
import type { SupervisionPolicy } from './policy.ts';

/** A process that was started ahead and has not been called. */
export interface Spare {
  /** Resolves when it is of no use any more because it ended. Never rejects. */
  readonly ended: Promise<void>;
  /**
   * Makes it the session in use. Undefined, and it is ended, when a launch would not lead to the same any more: other
   * content, grants or configuration, a key that was revoked. Throws what such a launch would throw.
   */
  take(signal: AbortSignal): Promise<Session | undefined>;
  /** Ends it. Resolves when its process is gone. */
  drop(reason: string): Promise<void>;
}

export interface SparesOptions {
  readonly clock: Clock;
  /** Launches one, in the same sandbox as a session, without ever asking anybody. */
  prepare(signal: AbortSignal): Promise<Spare>;
  /** A line for the log. */
  note(level: 'info' | 'warn', message: string): void;
}

/**
 * Keeps one spare of a plugin ready, `hostLimits.standbyMax` being one. It is made a while after it is wanted, later
 * after each crash of the plugin and after each spare that came to nothing, so that a plugin which only crashes does
 * not crash twice as often for it.
 */
export class Spares {
  readonly #options: SparesOptions;
  #spare: Spare | undefined;
  #preparing: { readonly abort: AbortController; readonly spare: Promise<Spare | undefined> } | undefined;
  #timer: Timer | undefined;
  #failures = 0;
  #closed = false;
  readonly #dropped = new Set<Promise<void>>();

  constructor(options: SparesOptions) {
    this.#options = options;
  }

  /** Whether a spare is ready. */
  get isReady(): boolean {
    return this.#spare !== undefined;
  }

  /** One is to be ready some time from now, the later the more `crashes` there were. Harmless when there is one. */
  want(crashes: number): void {
    if (this.#closed || this.#spare !== undefined || this.#preparing !== undefined || this.#timer !== undefined) return;
    const afterMs = hostLimits.standbyAfterMs * 2 ** (this.#failures + crashes);
    const waitMs = Math.min(afterMs, hostLimits.standbyRetryMaxMs);
    // It must not keep a program from ending.
    this.#timer = this.#options.clock.after(waitMs, () => this.#prepare(crashes)).unref();
  }

  /** No new one for now; one that is ready stays. */
  pause(): void {
    this.#timer?.cancel();
    this.#timer = undefined;
  }

  /** A session out of the spare, if there is one or one is on its way. Throws when the signal aborts. */
  async take(signal: AbortSignal): Promise<Session | undefined> {
    this.pause();
    const spare = this.#spare ?? (await this.#onItsWay(signal));
    if (spare === undefined || this.#spare !== spare) return undefined;
    this.#spare = undefined;
    const session = await spare.take(signal);
    if (session === undefined)
      this.#options.note('info', 'the spare process was made for other circumstances and is not used');
    if (session !== undefined) this.#failures = 0;
    return session;
  }

  /** An abort calls the launch of the spare off, so that it is never waited for longer than a launch. */
  async #onItsWay(signal: AbortSignal): Promise<Spare | undefined> {
    const preparing = this.#preparing;
    if (preparing === undefined) return undefined;
    const onAbort = (): void => preparing.abort.abort(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    const spare = await preparing.spare;
    signal.removeEventListener('abort', onAbort);
    signal.throwIfAborted();
    return spare;
  }

  /** Ends what is ready or on its way. Resolves when nothing of it runs. */
  async drop(reason: string): Promise<void> {
    this.pause();
    this.#preparing?.abort.abort(new Error(reason));
    this.#preparing = undefined;
    const spare = this.#spare;
    this.#spare = undefined;
    if (spare !== undefined) this.#end(spare, reason);
    await Promise.all(this.#dropped);
  }

  async close(reason: string): Promise<void> {
    this.#closed = true;
    await this.drop(reason);
  }

  #prepare(crashes: number): void {
    this.#timer = undefined;
    const abort = new AbortController();
    const made = this.#make(abort.signal, crashes);
    const preparing = { abort, spare: made };
    this.#preparing = preparing;
    const over = made.then(() => {
      if (this.#preparing === preparing) this.#preparing = undefined;
    });
    this.#track(over);
  }

  async #make(signal: AbortSignal, crashes: number): Promise<Spare | undefined> {
    let spare: Spare;
    try {
      spare = await this.#options.prepare(signal);
    } catch (error) {
      if (signal.aborted) return undefined;
      this.#failed(`no spare process could be started: ${error instanceof Error ? error.message : String(error)}`);
      this.#preparing = undefined;
      this.want(crashes);
      return undefined;
    }
    if (signal.aborted) {
      this.#end(spare, 'it is not wanted any more');
      return undefined;
    }
    this.#spare = spare;
    this.#options.note('info', 'a spare process is ready');
    void spare.ended.then(() => {
      if (this.#spare !== spare) return;
      this.#spare = undefined;
      this.#failed('the spare process ended before it was used');
      this.want(crashes);
    });
    return spare;
  }

  #failed(message: string): void {
    this.#failures += 1;
    this.#options.note('warn', message);
  }

  #end(spare: Spare, reason: string): void {
    this.#track(spare.drop(reason).catch(() => undefined));
  }

  #track(work: Promise<void>): void {
    this.#dropped.add(work);
    void work.then(() => this.#dropped.delete(work));
  }
}

/** Undefined for a plugin of which nothing is kept ready. */
export function sparesOf(
  { policy, prepare }: { readonly policy: SupervisionPolicy; prepare?(signal: AbortSignal): Promise<Spare> },
  clock: Clock,
  note: SparesOptions['note'],
): Spares | undefined {
  if (prepare === undefined || policy.standby === 'off') return undefined;
  return new Spares({ clock, note, prepare: (signal) => prepare(signal) });
}
