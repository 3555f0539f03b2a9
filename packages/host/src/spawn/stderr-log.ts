/** What a line splitter tells. */
export interface LineSink {
  /** A line within the rate. `cut` is true when it was longer than the limit and only its start is given. */
  line(line: string, cut: boolean): void;
  /** Whether one more line is within the rate. Default: every line is. */
  admits?(): boolean;
  /** Lines over the rate: how many, and their bytes without the last newline, lent for the moment of the call. */
  dropped?(lines: number, bytes: Buffer): void;
}

const newline = 10;

/**
 * Splits bytes into lines in time linear in their number and in memory bounded by one line. What follows the limit in
 * an overlong line is dropped, not kept. Lines over the rate are counted without being looked at.
 */
export class LineSplitter {
  readonly #sink: LineSink;
  readonly #bytesMax: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  /** True while the rest of an overlong line is being dropped. */
  #dropping = false;

  constructor(bytesMax: number, sink: LineSink) {
    this.#bytesMax = bytesMax;
    this.#sink = sink;
  }

  /** Returns how many bytes it took: all of them, unless `isOver` became true after a line. */
  push(chunk: Buffer, isOver: () => boolean = () => false): number {
    for (let start = 0; start < chunk.length; ) {
      const at = chunk.indexOf(newline, start);
      if (at < 0) {
        this.#keep(chunk.subarray(start));
        break;
      }
      if (this.#sink.admits?.() === false) {
        this.#drop(chunk.subarray(start));
        break;
      }
      this.#emit(chunk.subarray(start, at));
      start = at + 1;
      if (isOver()) return start;
    }
    return chunk.length;
  }

  /** Gives out a last line that has no newline. */
  end(): void {
    if (this.#bytes === 0) return;
    if (this.#sink.admits?.() === false) this.#sink.dropped?.(1, Buffer.concat(this.#parts));
    else this.#emit(Buffer.alloc(0));
    this.#forget();
  }

  #keep(part: Buffer): void {
    const room = this.#bytesMax - this.#bytes;
    if (part.length > room) this.#dropping = true;
    const kept = part.subarray(0, room);
    // Copied: a view would keep the whole chunk of the stream alive for a few bytes.
    if (kept.length > 0) this.#parts.push(Buffer.from(kept));
    this.#bytes += kept.length;
  }

  /** All lines that end in these bytes; what follows the last of them is the beginning of the next one. */
  #drop(bytes: Buffer): void {
    const last = bytes.lastIndexOf(newline);
    let lines = 1;
    for (let at = 0; at < last; at += 1) if (bytes[at] === newline) lines += 1;
    this.#forget();
    this.#sink.dropped?.(lines, bytes.subarray(0, last));
    this.#keep(bytes.subarray(last + 1));
  }

  #emit(end: Buffer): void {
    const room = this.#bytesMax - this.#bytes;
    const cut = this.#dropping || end.length > room;
    const kept = end.subarray(0, room);
    const bytes = this.#parts.length === 0 ? kept : Buffer.concat([...this.#parts, kept]);
    this.#forget();
    const line = bytes.toString('utf8');
    this.#sink.line(line.endsWith('\r') ? line.slice(0, -1) : line, cut);
  }

  #forget(): void {
    this.#parts = [];
    this.#bytes = 0;
    this.#dropping = false;
  }
}

/** How many lines of a flood are looked at from its end: what a person reads of an error. */
const droppedLinesKept = 100;

/** The last lines that were printed, at most `bytesMax` bytes of them: what an error message shows. */
export class LineTail {
  readonly #bytesMax: number;
  readonly #redact: (line: string, cut: boolean) => string;
  #lines: { readonly text: string; readonly cut: boolean }[] = [];
  #units = 0;

  /** Lines are kept as they came and made fit to be shown by `redact` only when they are: few ever are. */
  constructor(bytesMax: number, redact: (line: string, cut: boolean) => string = (line) => line) {
    this.#bytesMax = bytesMax;
    this.#redact = redact;
  }

  add(line: string, cut = false): void {
    // Every UTF-16 unit takes at least one byte: more than this is never shown.
    const isLong = line.length > this.#bytesMax;
    const text = isLong ? line.slice(0, this.#bytesMax) : line;
    this.#lines.push({ text, cut: cut || isLong });
    this.#units += text.length + 1;
    // Seldom and many at once: taking off one line a line would cost more than adding it.
    if (this.#units <= 2 * this.#bytesMax) return;
    let first = 0;
    for (; this.#units > this.#bytesMax && first < this.#lines.length - 1; first += 1) {
      this.#units -= (this.#lines[first]?.text.length ?? 0) + 1;
    }
    this.#lines.splice(0, first);
  }

  /** Lines that were over the rate: the last of them, read from the end. */
  addFrom(bytes: Buffer): void {
    const found: Buffer[] = [];
    let end = bytes.length;
    for (let room = this.#bytesMax; room > 0 && end >= 0 && found.length < droppedLinesKept; ) {
      const start = end === 0 ? 0 : bytes.lastIndexOf(newline, end - 1) + 1;
      found.push(bytes.subarray(start, end));
      room -= end - start + 1;
      end = start - 1;
    }
    for (const line of found.reverse()) {
      const text = line.toString('utf8', 0, this.#bytesMax);
      this.add(text.endsWith('\r') ? text.slice(0, -1) : text, line.length > this.#bytesMax);
    }
  }

  text(): string {
    const shown: string[] = [];
    let room = this.#bytesMax;
    for (const { text, cut } of this.#lines.toReversed()) {
      const line = Buffer.from(this.#redact(text, cut));
      if (line.length + 1 > room && shown.length > 0) break;
      shown.push(line.subarray(0, room - 1).toString('utf8'));
      room -= line.length + 1;
      if (room <= 1) break;
    }
    return shown.reverse().join('\n');
  }
}
