/** What a line splitter calls. `cut` is true when the line was longer than the limit and only its start is given. */
export type OnLine = (line: string, cut: boolean) => void;

/**
 * Splits bytes into lines in time linear in their number and in memory bounded by one line. What follows the limit in
 * an overlong line is dropped, not kept.
 */
export class LineSplitter {
  readonly #onLine: OnLine;
  readonly #bytesMax: number;
  #parts: Buffer[] = [];
  #bytes = 0;
  /** True while the rest of an overlong line is being dropped. */
  #dropping = false;

  constructor(bytesMax: number, onLine: OnLine) {
    this.#bytesMax = bytesMax;
    this.#onLine = onLine;
  }

  push(chunk: Buffer): void {
    for (let start = 0; start < chunk.length; ) {
      const at = chunk.indexOf(10, start);
      const end = at < 0 ? chunk.length : at;
      this.#keep(chunk.subarray(start, end));
      if (at < 0) return;
      this.#emit();
      start = at + 1;
    }
  }

  /** Gives out a last line that has no newline. */
  end(): void {
    if (this.#bytes > 0) this.#emit();
  }

  #keep(part: Buffer): void {
    const room = this.#bytesMax - this.#bytes;
    if (part.length > room) this.#dropping = true;
    const kept = part.subarray(0, room);
    // Copied: a view would keep the whole chunk of the stream alive for a few bytes.
    if (kept.length > 0) this.#parts.push(Buffer.from(kept));
    this.#bytes += kept.length;
  }

  #emit(): void {
    const line = Buffer.concat(this.#parts, this.#bytes).toString('utf8').replace(/\r$/, '');
    const cut = this.#dropping;
    this.#parts = [];
    this.#bytes = 0;
    this.#dropping = false;
    this.#onLine(line, cut);
  }
}

/** The last lines that were printed, at most `bytesMax` bytes of them: what an error message shows. */
export class LineTail {
  readonly #bytesMax: number;
  #lines: string[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  add(line: string): void {
    // Every UTF-16 unit takes at least one byte, so this bounds the work before the bytes are counted.
    const kept = Buffer.from(line.slice(0, this.#bytesMax))
      .subarray(0, this.#bytesMax - 1)
      .toString('utf8');
    this.#lines.push(kept);
    this.#bytes += Buffer.byteLength(kept) + 1;
    while (this.#bytes > this.#bytesMax && this.#lines.length > 1) {
      this.#bytes -= Buffer.byteLength(this.#lines.shift() ?? '') + 1;
    }
  }

  text(): string {
    return this.#lines.join('\n');
  }
}
