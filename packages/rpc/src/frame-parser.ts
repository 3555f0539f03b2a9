import type { Framing } from '@mmm/protocol';
import { BytePieces } from './byte-pieces.ts';

/** What the parser finds, in the order of the bytes. Buffers are only lent: copy what is kept. */
export interface FrameSink {
  /** Something framed like a message. Returns false when it is not JSON; it is then given to `stray`. */
  message(bytes: Buffer, framing: Framing): boolean;
  /** A line that is no message. `bytes` is its beginning, `length` its whole length. */
  stray(bytes: Buffer, length: number, cut: boolean): void;
  /** A message over the limit, as soon as that is known; the rest of it is skipped. `bytes` is its beginning. */
  oversized(bytes: Buffer, framing: Framing): void;
  /** The input ended in the middle of a message. */
  partial(bytes: Buffer, framing: Framing): void;
}

export interface FrameLimits {
  readonly messageBytes: number;
  readonly headerBytes: number;
  readonly logLineBytes: number;
  readonly idSearchBytes: number;
}

const newline = 10;
const carriageReturn = 13;
const none = Buffer.alloc(0);
/** How many bytes one step looks at: the scan of this much takes well below a millisecond. */
const stepBytes = 1024 * 1024;
/** No message is meant that is announced as larger than this: the header is a printed line. */
const announcedBytesMax = 1024 * 1024 * 1024;

const headerStart = /^content-(?:length|type) *:/i;
const headerLine = /^[a-z-]{1,64} *:/i;
const contentLength = /^content-length *: *([1-9]\d{0,9})$/i;
const headerTail = /content-length *: *[1-9]\d{0,9}$/i;

/**
 * Finds messages in a stream of bytes, in time linear in the bytes and with memory bounded by one message. It knows
 * both framings and decides for each message anew: an LSP header block, or one line of JSON. Anything else is a stray
 * line, after which it goes on as if nothing had been.
 */
export class FrameParser {
  readonly #limits: FrameLimits;
  readonly #sink: FrameSink;
  #chunks: Buffer[] = [];
  #at = 0;
  /** line: in a line · header: in a header block · body: in a framed body · rest: in what is skipped of a line. */
  #state: 'line' | 'header' | 'body' | 'rest' | 'skip' = 'line';
  readonly #pieces = new BytePieces();
  #header: Buffer[] = [];
  #headerSize = 0;
  /** The announced length; -1 before its header line came. */
  #bodyLength = -1;
  /** Of the body, what is still to come. */
  #bodyLeft = 0;
  /** Of the line being skipped: its beginning if it is a stray line, and its length so far. */
  #restStart: Buffer | undefined;
  #restLength = 0;

  constructor(limits: FrameLimits, sink: FrameSink) {
    this.#limits = limits;
    this.#sink = sink;
  }

  push(chunk: Buffer): void {
    if (chunk.length > 0) this.#chunks.push(chunk);
  }

  /** True while bytes wait that `step` has not looked at. */
  get hasInput(): boolean {
    return this.#chunks.length > 0;
  }

  /** Looks at the next bytes, up to the end of one message or line. Returns false when it needs more input. */
  step(): boolean {
    const chunk = this.#chunks[0];
    if (chunk === undefined) return false;
    const end = Math.min(chunk.length, this.#at + stepBytes);
    if (this.#state === 'body') this.#stepBody(chunk, end);
    else if (this.#state === 'skip') this.#stepSkip(end);
    else this.#stepLine(chunk, end);
    if (this.#at >= chunk.length) {
      this.#chunks.shift();
      this.#at = 0;
    }
    return true;
  }

  /** The input ended: gives out what is left. Call it once, after `step` returned false. */
  end(): void {
    if (this.#state === 'header') this.#endHeaderAsStray();
    if (this.#state === 'rest') this.#endRest(0);
    else if (this.#state === 'body')
      this.#sink.partial(this.#pieces.prefix(this.#limits.idSearchBytes), 'content-length');
    else if (this.#pieces.size > 0) {
      const line = withoutReturn(this.#pieces.take(none));
      const candidate = startsLikeJson(line);
      if (candidate && this.#sink.message(line, 'ndjson')) return;
      if (candidate) this.#sink.partial(line.subarray(0, this.#limits.idSearchBytes), 'ndjson');
      else this.#stray(line);
    }
  }

  #stepLine(chunk: Buffer, end: number): void {
    if (this.#state === 'line' && this.#pieces.size === 0) {
      let at = this.#at;
      while (at < end && (chunk[at] === newline || chunk[at] === carriageReturn)) at++;
      this.#at = at;
      if (at >= end) return;
    }
    const from = this.#at;
    // Never beyond the step: a chunk of 100 MB without a newline would be searched to its end at each step.
    const found = end < chunk.length ? chunk.subarray(0, end).indexOf(newline, from) : chunk.indexOf(newline, from);
    const ends = found >= 0;
    const to = ends ? found : end;
    this.#at = ends ? found + 1 : end;
    if (this.#state === 'rest') {
      if (ends) this.#endRest(to - from);
      else this.#restLength += to - from;
      return;
    }
    const part = chunk.subarray(from, to);
    const size = this.#pieces.size + part.length;
    if (size > this.#limits.headerBytes && this.#state === 'header') this.#endHeaderAsStray();
    if (size > this.#limits.logLineBytes && this.#isTooLong(part, size)) this.#startRest(part, ends);
    else if (ends) this.#endLine(withoutReturn(this.#pieces.take(part)));
    else this.#pieces.add(part);
  }

  #isTooLong(part: Buffer, size: number): boolean {
    if (size > this.#limits.messageBytes + 1) return true;
    return !startsLikeJson(this.#pieces.size > 0 ? this.#pieces.prefix(64) : part);
  }

  /** The line is over its limit: its beginning is kept, the rest is only counted. */
  #startRest(part: Buffer, ends: boolean): void {
    const { idSearchBytes, logLineBytes } = this.#limits;
    this.#restLength = this.#pieces.size;
    const missing = Math.max(0, logLineBytes - this.#pieces.size);
    const start = Buffer.concat([this.#pieces.prefix(logLineBytes), part.subarray(0, missing)]);
    this.#pieces.clear();
    this.#state = 'rest';
    this.#restStart = undefined;
    if (startsLikeJson(start)) this.#sink.oversized(start.subarray(0, idSearchBytes), 'ndjson');
    else this.#restStart = start;
    if (ends) this.#endRest(part.length);
    else this.#restLength += part.length;
  }

  #endRest(lastLength: number): void {
    this.#state = 'line';
    const start = this.#restStart;
    this.#restStart = undefined;
    if (start !== undefined) this.#sink.stray(start, this.#restLength + lastLength, true);
  }

  #endLine(line: Buffer): void {
    if (this.#state === 'header') {
      if (line.length === 0) {
        this.#endHeader();
        return;
      }
      if (this.#addHeaderLine(line)) return;
      this.#endHeaderAsStray();
    }
    const first = line[0];
    if ((first === 0x43 || first === 0x63) && this.#startHeader(line)) return;
    if (startsLikeJson(line) && this.#sink.message(withoutMark(line), 'ndjson')) return;
    this.#strayBeforeHeader(line);
  }

  /** A print without a newline, or a body longer than announced, may stand right before a header. */
  #strayBeforeHeader(line: Buffer): void {
    const last = line[line.length - 1] ?? 0;
    if (last >= 0x30 && last <= 0x39) {
      const tailFrom = Math.max(0, line.length - 64);
      const tail = headerTail.exec(line.toString('latin1', tailFrom));
      if (tail !== null && this.#startHeader(line.subarray(tailFrom + tail.index))) {
        const before = line.subarray(0, tailFrom + tail.index);
        if (before.length > 0) this.#stray(before);
        return;
      }
    }
    this.#stray(line);
  }

  #startHeader(line: Buffer): boolean {
    if (!headerStart.test(line.toString('latin1', 0, 64))) return false;
    this.#headerSize = 0;
    this.#bodyLength = -1;
    this.#header = [];
    return this.#addHeaderLine(line);
  }

  #addHeaderLine(line: Buffer): boolean {
    if (this.#headerSize + line.length > this.#limits.headerBytes) return false;
    const text = line.toString('latin1').trimEnd();
    if (!headerLine.test(text)) return false;
    if (/^content-length/i.test(text)) {
      const length = Number(contentLength.exec(text)?.[1] ?? 0);
      if (this.#bodyLength >= 0 || length === 0 || length > announcedBytesMax) return false;
      this.#bodyLength = length;
    }
    this.#header.push(Buffer.from(line));
    this.#headerSize += line.length;
    this.#state = 'header';
    return true;
  }

  #endHeader(): void {
    if (this.#bodyLength < 0) {
      this.#endHeaderAsStray();
      return;
    }
    this.#state = 'body';
    this.#bodyLeft = this.#bodyLength;
  }

  #endHeaderAsStray(): void {
    const lines = this.#header;
    this.#header = [];
    this.#state = 'line';
    for (const line of lines) this.#stray(line);
  }

  #stepBody(chunk: Buffer, end: number): void {
    const { idSearchBytes, messageBytes } = this.#limits;
    const from = this.#at;
    if (this.#bodyLeft === this.#bodyLength && !mayStartBody(chunk[from])) {
      this.#endHeaderAsStray();
      return;
    }
    const part = chunk.subarray(from, Math.min(end, from + this.#bodyLeft));
    this.#at = from + part.length;
    this.#bodyLeft -= part.length;
    if (this.#bodyLength > messageBytes) {
      this.#pieces.add(part);
      if (this.#pieces.size < idSearchBytes && this.#bodyLeft > 0) return;
      this.#sink.oversized(this.#pieces.prefix(idSearchBytes), 'content-length');
      this.#pieces.clear();
      this.#state = this.#bodyLeft > 0 ? 'skip' : 'line';
    } else if (this.#bodyLeft > 0) {
      this.#pieces.add(part);
    } else {
      this.#state = 'line';
      const body = this.#pieces.take(part);
      if (!this.#sink.message(body, 'content-length')) this.#stray(body);
    }
  }

  #stepSkip(end: number): void {
    const skipped = Math.min(end - this.#at, this.#bodyLeft);
    this.#at += skipped;
    this.#bodyLeft -= skipped;
    if (this.#bodyLeft === 0) this.#state = 'line';
  }

  #stray(line: Buffer): void {
    const { logLineBytes } = this.#limits;
    this.#sink.stray(line.subarray(0, logLineBytes), line.length, line.length > logLineBytes);
  }
}

function withoutReturn(line: Buffer): Buffer {
  return line[line.length - 1] === carriageReturn ? line.subarray(0, -1) : line;
}

function hasMark(line: Buffer): boolean {
  return line[0] === 0xef && line[1] === 0xbb && line[2] === 0xbf;
}

/** Without the byte order mark some runtimes put before their first line. */
function withoutMark(line: Buffer): Buffer {
  return hasMark(line) ? line.subarray(3) : line;
}

/** A printed header is followed by something else than JSON, most of the time. */
function mayStartBody(byte: number | undefined): boolean {
  return (
    byte === 0x7b || byte === 0x5b || byte === 0x20 || byte === newline || byte === carriageReturn || byte === 0xef
  );
}

/** The first byte that is no space opens an object or an array. Looks at 64 bytes; nobody indents a message further. */
function startsLikeJson(line: Buffer): boolean {
  const first = line[0];
  if (first === 0x7b || first === 0x5b) return true;
  for (let index = hasMark(line) ? 3 : 0; index < line.length && index < 64; index++) {
    const byte = line[index];
    if (byte === 0x7b || byte === 0x5b) return true;
    if (byte !== 0x20 && byte !== 0x09 && byte !== carriageReturn && byte !== newline) return false;
  }
  return false;
}
