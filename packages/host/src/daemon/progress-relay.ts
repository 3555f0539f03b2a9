import { MmmError, type ProgressValue } from '@mmm/protocol';
import type { HandlerContext } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';

interface SlowClient {
  /** True while it does not read. */
  isFull(): boolean;
  /** Ends the call. */
  giveUp(reason: MmmError): void;
}

/**
 * Passes progress on to a client as fast as it reads. Reports that it is too slow for are left out; chunks are the
 * result itself, so a client that leaves too many of them unread loses its call.
 */
export class ProgressRelay {
  readonly #context: Pick<HandlerContext, 'progress' | 'room'>;
  readonly #queue: ProgressValue[] = [];
  #pumping: Promise<void> | undefined;
  #failure: MmmError | undefined;
  readonly #client: SlowClient;

  constructor(context: Pick<HandlerContext, 'progress' | 'room'>, client: SlowClient) {
    this.#context = context;
    this.#client = client;
  }

  pass(value: ProgressValue): void {
    if (this.#failure !== undefined || (value.kind === 'report' && this.#client.isFull())) return;
    if (this.#queue.length >= hostLimits.controlProgressQueued) {
      if (value.kind === 'report') return;
      const message = `The call was ended: its client left ${this.#queue.length} chunks of the answer unread.`;
      this.#failure = new MmmError('BUSY', message, {
        plugin: '',
        queued: this.#queue.length,
        queuedMax: hostLimits.controlProgressQueued,
      });
      this.#client.giveUp(this.#failure);
      return;
    }
    this.#queue.push(value);
    this.#pumping ??= this.#pump();
  }

  /** Resolves when everything was sent. Throws when the call was ended because of its client. */
  async drained(): Promise<void> {
    await this.#pumping;
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #pump(): Promise<void> {
    for (let value = this.#queue.shift(); value !== undefined; value = this.#queue.shift()) {
      await this.#context.room();
      this.#context.progress(value);
    }
    this.#pumping = undefined;
  }
}
