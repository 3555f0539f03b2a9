import { MmmError } from '@mmm/protocol';
import { hostLimits } from '../limits.ts';

export interface CallQueueOptions {
  readonly plugin: string;
  /** Calls that run at one time: the manifest's `limits.concurrency`. */
  readonly concurrency: number;
  /** Calls that may wait. Default: `hostLimits.queuedCalls`. */
  readonly queuedMax?: number;
  /** Bytes of input that may wait, or one call if that is larger. Default: `hostLimits.queuedBytes`. */
  readonly queuedBytesMax?: number;
}

export interface QueuedCall {
  /** Gives the place up while it waits; a call that runs has to watch the signal itself. */
  readonly signal?: AbortSignal | undefined;
  /** Size of what is kept while it waits. Only asked for when it has to wait. */
  bytes?(): number;
}

interface Waiting {
  start(): void;
}

/** The calls of one plugin: so many at a time, so many waiting, first come first served. */
export class CallQueue {
  readonly #plugin: string;
  #concurrency: number;
  readonly #queuedMax: number;
  readonly #queuedBytesMax: number;
  /** In the order of coming; a set, so that one that gives up leaves from the middle at once. */
  readonly #waiting = new Set<Waiting>();
  #waitingBytes = 0;
  #active = 0;

  constructor(options: CallQueueOptions) {
    this.#plugin = options.plugin;
    this.#concurrency = options.concurrency;
    this.#queuedMax = options.queuedMax ?? hostLimits.queuedCalls;
    this.#queuedBytesMax = options.queuedBytesMax ?? hostLimits.queuedBytes;
  }

  get active(): number {
    return this.#active;
  }

  get queued(): number {
    return this.#waiting.size;
  }

  get queuedMax(): number {
    return this.#queuedMax;
  }

  /** From now on so many run at one time. Those that are over it run on. */
  resize(concurrency: number): void {
    this.#concurrency = concurrency;
    for (const waiting of this.#waiting) {
      if (this.#active >= this.#concurrency) return;
      this.#active++;
      waiting.start();
    }
  }

  /**
   * Runs the task as soon as there is room, and settles as it does. Rejects with BUSY when too many wait already, and
   * with the signal's reason when it aborts before the task has started; the task is then never run.
   */
  async run<T>(task: () => Promise<T>, call: QueuedCall = {}): Promise<T> {
    if (!this.tryEnter(call.signal)) await this.enter(call);
    try {
      return await task();
    } finally {
      this.leave();
    }
  }

  /** Takes a place if one is free. Whoever has a place has to `leave`. Throws the signal's reason when it aborted. */
  tryEnter(signal: AbortSignal | undefined): boolean {
    signal?.throwIfAborted();
    if (this.#active >= this.#concurrency) return false;
    this.#active++;
    return true;
  }

  /** Waits for a place. Rejects as `run` does. */
  enter({ signal, bytes }: QueuedCall): Promise<void> {
    const size = bytes?.() ?? 0;
    const full = this.#waitingBytes > 0 && this.#waitingBytes + size > this.#queuedBytesMax;
    if (this.#waiting.size >= this.#queuedMax || full) return Promise.reject(this.#busy());
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting.delete(waiting);
        this.#waitingBytes -= size;
        signal?.removeEventListener('abort', onAbort);
      };
      const onAbort = (): void => {
        leave();
        reject(signal?.reason);
      };
      const waiting: Waiting = {
        start: () => {
          leave();
          resolve();
        },
      };
      signal?.addEventListener('abort', onAbort);
      this.#waiting.add(waiting);
      this.#waitingBytes += size;
    });
  }

  /** Passes the place on, or frees it. It is never free for a moment in between, so nobody overtakes. */
  leave(): void {
    const [first] = this.#active > this.#concurrency ? [] : this.#waiting;
    if (first === undefined) this.#active--;
    else first.start();
  }

  #busy(): MmmError<'BUSY'> {
    const queued = this.#waiting.size;
    return new MmmError(
      'BUSY',
      `${this.#plugin} is busy: ${this.#active} calls run and ${queued} wait. Try again later.`,
      { plugin: this.#plugin, queued, queuedMax: this.#queuedMax },
    );
  }
}
