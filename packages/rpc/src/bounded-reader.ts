import { isAscii, isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import type { Framing } from '@mmm/protocol';
import type { Clock, Timer } from './clock.ts';
import type { ConnectionCounters, ConnectionLimits, FaultKind, StrayInfo } from './connection-options.ts';
import { FrameParser, type FrameSink } from './frame-parser.ts';
import { findId, type MessageHint, removePrototypeKeys, tooComplex } from './json-guard.ts';
import { TokenBucket } from './token-bucket.ts';
import { type Turn, turnOf } from './turns.ts';

/** Why a message is not read: over one of the limits, or not UTF-8. */
export type RefusedReason = 'size' | 'depth' | 'structure' | 'utf8';

/** What the reader tells the connection, in the order of the bytes. */
export interface ReaderSink {
  /** A JSON object or array within the limits. */
  message(value: object, framing: Framing): void;
  /** A message that is refused unread, with what its beginning tells about it. */
  refused(reason: RefusedReason, hint: MessageHint, bytes: number): void;
  stray(line: string, info: StrayInfo): void;
  fault(kind: FaultKind, detail: string): void;
}

/** Why the input is over, for the connection's close cause. */
export interface InputEnd {
  readonly kind: 'ended' | 'io';
  readonly detail: string;
}

/**
 * Reads both framings from a stream, with bounds: it handles input for the length of a turn, and while anything is
 * left to handle it does not read on, so the peer has to wait.
 */
export class BoundedReader implements FrameSink {
  /** Called once, when the input is over and everything in it was handled. */
  onEnd: () => void = () => {};

  readonly #input: Readable;
  readonly #limits: ConnectionLimits;
  readonly #clock: Clock;
  readonly #counters: ConnectionCounters;
  readonly #sink: ReaderSink;
  readonly #parser: FrameParser;
  readonly #turn: Turn;
  /** Absent without a limit. */
  /** How fast the peer is read: what is over it waits in the pipe, and the peer with it. */
  readonly #rate: TokenBucket | undefined;
  #wasTooFast = false;
  /** True from the moment a turn ran out until the next one starts. */
  #waitingForTurn = false;
  /** The pause of a peer that floods. */
  #rest: Timer | undefined;
  /** When the time of this turn is used up; undefined until something comes in it. A turn may bring many chunks. */
  #turnEndsMs: number | undefined;
  /** True while the connection asks not to read on, because the peer does not take the answers. */
  #held = false;
  #inputEnd: InputEnd | undefined;
  #stopped = false;
  /** The time, asked once a message. */
  #nowMs: number;
  /** When the last message came, on the monotonic clock. */
  lastMessageAtMs: number;

  constructor(input: Readable, limits: ConnectionLimits, clock: Clock, counters: ConnectionCounters, sink: ReaderSink) {
    this.#input = input;
    this.#limits = limits;
    this.#clock = clock;
    this.#counters = counters;
    this.#sink = sink;
    this.#parser = new FrameParser(limits, this);
    this.#turn = turnOf(clock);
    const { inboundBytesPerSecond: rate } = limits;
    this.#rate = Number.isFinite(rate) ? new TokenBucket(rate, clock.monotonic()) : undefined;
    this.#nowMs = clock.monotonic();
    this.lastMessageAtMs = this.#nowMs;
  }

  /** Set when the input is over and everything in it was handled. */
  get ended(): InputEnd | undefined {
    return this.#stopped ? this.#inputEnd : undefined;
  }

  get paused(): boolean {
    return this.#held || this.#waitingForTurn;
  }

  /** Starts reading. */
  listen(): void {
    // The listener for errors stays for ever: a stream may fail long after the connection gave it up.
    this.#input.on('error', (error: Error) => this.#end({ kind: 'io', detail: `Reading failed: ${error.message}` }));
    this.#input.on('end', () => this.#end({ kind: 'ended', detail: 'The peer closed its output.' }));
    this.#input.on('close', () => this.#end({ kind: 'ended', detail: 'The stream was closed.' }));
    this.#input.on('data', this.#onData);
    // A stream that was paused until somebody listens is not set going by listening.
    this.#input.resume();
    if (this.#input.destroyed || this.#input.readableEnded) {
      this.#clock.immediate(() => this.#end({ kind: 'ended', detail: 'The stream had ended before.' }));
    }
  }

  /** Stops reading while the connection has too much to send. */
  hold(): void {
    if (this.#inputEnd !== undefined) return;
    this.#held = true;
    this.#input.pause();
  }

  /** Reads on after `hold`. */
  release(): void {
    if (!this.#held) return;
    this.#held = false;
    if (!this.#waitingForTurn) this.#takeTurnLater();
  }

  /** A message was what somebody waited for. */
  useful(): void {
    this.#turn.useful();
  }

  /** Something was sent that will be answered: whoever floods meanwhile gets shorter turns. */
  expect(nowMs: number): void {
    this.#turn.expect(nowMs);
  }

  /** Once for each `expect`: it is not waited for any more. */
  settled(): void {
    this.#turn.settled();
  }

  /** Handles nothing more. The stream itself is left to the connection. */
  stop(): void {
    this.#stopped = true;
    this.#cancelRest();
    this.#input.off('data', this.#onData);
  }

  #cancelRest(): void {
    this.#rest?.cancel();
    this.#rest = undefined;
  }

  readonly #onData = (chunk: Buffer | string): void => {
    const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
    this.#counters.bytesIn += bytes.length;
    this.#rate?.spend(bytes.length);
    this.#parser.push(bytes);
    if (!this.#held && !this.#waitingForTurn) this.#takeTurn();
  };

  #takeTurnLater(): void {
    this.#waitingForTurn = true;
    this.#input.pause();
    // After the end nothing more can come: what is left is handled without a pause.
    const restMs = this.#inputEnd === undefined ? this.#turn.over(this.#nowMs) : 0;
    if (restMs === 0) this.#clock.immediate(this.#nextTurn);
    else this.#rest = this.#clock.after(restMs, this.#nextTurn);
  }

  readonly #nextTurn = (): void => {
    this.#rest = undefined;
    this.#waitingForTurn = false;
    if (!this.#held && !this.#stopped) this.#takeTurn();
  };

  #takeTurn(): void {
    this.#nowMs = this.#clock.monotonic();
    const waitMs = this.#inputEnd === undefined ? (this.#rate?.waitMs(0, this.#nowMs) ?? 0) : 0;
    if (waitMs > 0) {
      this.#tooFast(waitMs);
      return;
    }
    const endMs = this.#turnEnd();
    for (let count = 0; count < this.#limits.inboundMessages; count++) {
      if (this.#stopped || this.#held) return;
      if (!this.#parser.step()) {
        this.#drained();
        return;
      }
      this.#nowMs = this.#clock.monotonic();
      if (this.#nowMs >= endMs) {
        this.#takeTurnLater();
        return;
      }
    }
    if (this.#parser.hasInput) this.#takeTurnLater();
    else this.#drained();
  }

  #tooFast(waitMs: number): void {
    this.#waitingForTurn = true;
    this.#input.pause();
    this.#rest = this.#clock.after(waitMs, this.#nextTurn);
    if (this.#wasTooFast) return;
    this.#wasTooFast = true;
    const limit = `${this.#limits.inboundBytesPerSecond} bytes a second`;
    this.#sink.fault('too_fast', `It writes more than ${limit}, and is read no faster than that.`);
  }

  #turnEnd(): number {
    if (this.#turnEndsMs === undefined) {
      this.#turnEndsMs = this.#turn.start(this.#nowMs);
      this.#clock.immediate(() => {
        this.#turnEndsMs = undefined;
      });
    }
    return this.#turnEndsMs;
  }

  #drained(): void {
    if (this.#stopped || this.#held) return;
    this.#turn.useful();
    if (this.#inputEnd !== undefined) this.#finish();
    else if (this.#input.isPaused()) this.#input.resume();
  }

  #end(end: InputEnd): void {
    if (this.#inputEnd !== undefined || this.#stopped) return;
    this.#inputEnd = end;
    if (this.#rest !== undefined) this.#clock.immediate(this.#nextTurn);
    this.#cancelRest();
    if (!this.#parser.hasInput) this.#finish();
    else if (this.#held) this.release();
  }

  #finish(): void {
    if (this.#stopped) return;
    this.#parser.end();
    this.stop();
    this.onEnd();
  }

  message(bytes: Buffer, framing: Framing): boolean {
    // Most printed lines that open like JSON do not end like it, and a failing JSON.parse is slow.
    if (!endsLikeJson(bytes)) return this.#notJson(bytes, framing);
    const { depth, structure, messageBytes, idSearchBytes } = this.#limits;
    const tooMuch = bytes.length > messageBytes ? 'size' : tooComplex(bytes, depth, structure);
    if (tooMuch !== undefined) {
      this.#refuse(tooMuch, bytes.subarray(0, idSearchBytes), bytes.length);
      return true;
    }
    const text = decode(bytes);
    // Decoding puts U+FFFD for what is not UTF-8, but the character may also have been sent.
    if (text.includes('\uFFFD') && !isUtf8(bytes)) {
      this.#refuse('utf8', bytes.subarray(0, idSearchBytes), bytes.length);
      return false;
    }
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return this.#notJson(bytes, framing);
    }
    if (typeof value !== 'object' || value === null) return false;
    removePrototypeKeys(value, text);
    this.lastMessageAtMs = this.#nowMs;
    this.#counters.messagesIn++;
    this.#sink.message(value, framing);
    return true;
  }

  #notJson(bytes: Buffer, framing: Framing): false {
    if (framing === 'content-length') {
      this.#sink.fault('invalid_message', `A framed body of ${bytes.length} bytes is not JSON.`);
    }
    return false;
  }

  stray(bytes: Buffer, length: number, cut: boolean): void {
    const line = bytes.toString('utf8');
    if (!cut && line.includes('\uFFFD') && !isUtf8(bytes)) {
      this.#sink.fault('invalid_utf8', `A line of ${length} bytes is not UTF-8.`);
    }
    this.#counters.strayLines++;
    this.#sink.stray(line, { bytes: length, cut });
  }

  oversized(bytes: Buffer): void {
    this.#refuse('size', bytes, this.#limits.messageBytes + 1);
  }

  partial(bytes: Buffer, framing: Framing): void {
    const shown = JSON.stringify(bytes.toString('utf8', 0, 80));
    this.#sink.fault(
      'partial_message',
      `The input ended in the middle of a message (${framing}), which began ${shown}.`,
    );
  }

  #refuse(reason: RefusedReason, prefix: Buffer, bytes: number): void {
    this.lastMessageAtMs = this.#nowMs;
    this.#counters.messagesIn++;
    this.#sink.refused(reason, findId(prefix), bytes);
  }
}

/** From here on looking whether it is ASCII, which is copied instead of decoded, costs less than it saves. */
const asciiFromBytes = 4096;

function decode(bytes: Buffer): string {
  return bytes.length >= asciiFromBytes && isAscii(bytes) ? bytes.toString('latin1') : bytes.toString('utf8');
}

function endsLikeJson(bytes: Buffer): boolean {
  const last = bytes[bytes.length - 1] ?? 0;
  return last === 0x7d || last === 0x5d || last <= 0x20;
}
