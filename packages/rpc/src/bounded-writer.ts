import type { Writable } from 'node:stream';
import type { Framing } from '@mmm/protocol';
import type { NotificationMessage, RequestMessage, ResponseMessage } from 'vscode-jsonrpc/node';
import type { Clock, Timer } from './clock.ts';
import type { ConnectionCounters, ConnectionLimits } from './connection-options.ts';

/** Why a message was not taken. `unwritable`: it cannot be expressed in JSON. */
export type Refusal = 'closed' | 'busy' | 'too_large' | 'unwritable';

export type OutgoingMessage = RequestMessage | NotificationMessage | ResponseMessage;

/**
 * Writes messages: everything that is sent in one turn of the event loop goes out in one write, what waits for a peer
 * that does not read is bounded, and a write that makes no progress has a deadline.
 */
export class BoundedWriter {
  framing: Framing;
  /** Called when the queue got short again after it was too long to take a call. */
  onRoom: () => void = () => {};
  /** Called when a write made no progress for the deadline. */
  onStuck: () => void = () => {};
  /** Asked before that: true gives it the whole time once more. */
  holdsDeadline: () => boolean = () => false;
  /** Called once, when the stream failed or closed before it was ended here. */
  onBroken: (error: Error) => void = () => {};

  readonly #output: Writable;
  readonly #limits: ConnectionLimits;
  readonly #clock: Clock;
  readonly #counters: ConnectionCounters;
  /** What goes out with the next write, and how much it is. */
  #batch = '';
  #batchBytes = 0;
  #batchMessages = 0;
  /** True while the batch is ASCII: the runtime then writes it without a copy three times its size. */
  #batchIsAscii = true;
  #flushing = false;
  /** What the stream was given and has not confirmed. */
  #unconfirmedBytes = 0;
  #unconfirmedMessages = 0;
  /** True from a write that filled the stream's buffer until it drained. */
  #blocked = false;
  #deadline: Timer | undefined;
  #progressAtMs = 0;
  /** True from a moment at which somebody was told that the queue is full until there is room. */
  #wasFull = false;
  #failed = false;
  #ending = false;

  constructor(
    output: Writable,
    framing: Framing,
    limits: ConnectionLimits,
    clock: Clock,
    counters: ConnectionCounters,
  ) {
    this.#output = output;
    this.framing = framing;
    this.#limits = limits;
    this.#clock = clock;
    this.#counters = counters;
    // These stay for ever: a pipe may break long after the connection ended.
    output.on('error', (error: Error) => this.#fail(error));
    output.on('close', () => this.#fail(new Error('The stream was closed.')));
    output.on('drain', () => this.#unblock());
  }

  /** Bytes that wait: in the batch, or given to the stream and not confirmed. */
  get queuedBytes(): number {
    return this.#batchBytes + this.#unconfirmedBytes;
  }

  /** True while no call is taken, because too much waits for a peer that does not read. */
  get isFull(): boolean {
    const full = this.#measureFull();
    if (full) this.#wasFull = true;
    return full;
  }

  #measureFull(): boolean {
    if (this.queuedBytes >= this.#limits.outboundBytes) return true;
    // What one turn sends does not wait for the peer yet, however many messages it is.
    return this.#blocked && this.#batchMessages + this.#unconfirmedMessages >= this.#limits.outboundMessages;
  }

  /** True when nothing more can be sent. */
  get isClosed(): boolean {
    return this.#failed || this.#ending || this.#output.destroyed || this.#output.writableEnded;
  }

  /** Queues a message. An answer is taken even when the queue is full: the requests in hand are bounded. */
  send(message: OutgoingMessage, isAnswer: boolean): Refusal | undefined {
    if (this.isClosed) return 'closed';
    if (!isAnswer && this.isFull) return 'busy';
    let text: string;
    try {
      text = JSON.stringify(message);
    } catch {
      return 'unwritable';
    }
    const bytes = Buffer.byteLength(text);
    if (bytes > this.#limits.messageBytes) return 'too_large';
    const header = this.framing === 'ndjson' ? '' : `Content-Length: ${bytes}\r\n\r\n`;
    this.#batch += header === '' ? `${text}\n` : header + text;
    this.#batchBytes += bytes + (header.length || 1);
    this.#batchMessages++;
    if (bytes !== text.length) this.#batchIsAscii = false;
    this.#counters.messagesOut++;
    if (!this.#flushing) {
      this.#flushing = true;
      // After the promises of this turn, so that the answers they lead to go along.
      process.nextTick(this.#flush);
    }
    return undefined;
  }

  /** Ends the stream after everything queued was written. */
  end(): void {
    if (this.isClosed) return;
    this.#blocked = false;
    this.#flush();
    this.#ending = true;
    this.#deadline?.cancel();
    this.#deadline = undefined;
    try {
      this.#output.end();
    } catch {
      // The runtime does not let some streams end, its own stdout for one; they end with the process.
    }
  }

  readonly #flush = (): void => {
    this.#flushing = false;
    if (this.#batchMessages === 0 || this.#blocked || this.isClosed) return;
    const batch = this.#batch;
    const bytes = this.#batchBytes;
    const messages = this.#batchMessages;
    const encoding = this.#batchIsAscii ? 'latin1' : 'utf8';
    this.#clearBatch();
    this.#unconfirmedBytes += bytes;
    this.#unconfirmedMessages += messages;
    this.#counters.bytesOut += bytes;
    const hasRoom = this.#output.write(batch, encoding, (error) => {
      this.#unconfirmedBytes -= bytes;
      this.#unconfirmedMessages -= messages;
      this.#progressAtMs = this.#clock.monotonic();
      if (!error) this.#tellRoom();
    });
    if (!hasRoom) this.#block();
  };

  #clearBatch(): void {
    this.#batch = '';
    this.#batchBytes = 0;
    this.#batchMessages = 0;
    this.#batchIsAscii = true;
  }

  #block(): void {
    this.#blocked = true;
    this.#progressAtMs = this.#clock.monotonic();
    this.#deadline ??= this.#clock.after(this.#limits.writeDeadlineMs, () => this.#onDeadline()).unref();
  }

  #unblock(): void {
    this.#blocked = false;
    this.#deadline?.cancel();
    this.#deadline = undefined;
    this.#flush();
    this.#tellRoom();
  }

  #tellRoom(): void {
    if (this.#wasFull && !this.isFull) {
      this.#wasFull = false;
      this.onRoom();
    }
  }

  #onDeadline(): void {
    this.#deadline = undefined;
    if (!this.#blocked || this.isClosed) return;
    const leftMs = this.#progressAtMs + this.#limits.writeDeadlineMs - this.#clock.monotonic();
    if (leftMs > 0) this.#deadline = this.#clock.after(leftMs, () => this.#onDeadline()).unref();
    else if (this.holdsDeadline()) this.#block();
    else this.onStuck();
  }

  #fail(error: Error): void {
    if (this.#failed) return;
    this.#failed = true;
    this.#deadline?.cancel();
    this.#deadline = undefined;
    this.#clearBatch();
    if (!this.#ending) this.onBroken(error);
  }
}
