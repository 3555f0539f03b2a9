/** Below this a chunk is copied, so that a peer that writes single bytes cannot make us hold an object for each. */
const pieceBytes = 16 * 1024;

/**
 * The beginning of something that is still coming in. Large chunks are kept by reference and joined once at the end;
 * small ones are copied into blocks. So each byte is copied at most twice and memory stays within twice the bytes.
 */
export class BytePieces {
  size = 0;
  #pieces: Buffer[] = [];
  /** The block small chunks are copied into; the last piece is its filled part. Undefined after a reference. */
  #block: Buffer | undefined;
  #blockUsed = 0;

  add(bytes: Buffer): void {
    this.size += bytes.length;
    if (bytes.length >= pieceBytes) {
      this.#pieces.push(bytes);
      this.#block = undefined;
      return;
    }
    for (let from = 0; from < bytes.length; ) {
      if (this.#block === undefined || this.#blockUsed === this.#block.length) {
        this.#block = Buffer.allocUnsafeSlow(pieceBytes);
        this.#blockUsed = 0;
        this.#pieces.push(this.#block.subarray(0, 0));
      }
      const copied = bytes.copy(this.#block, this.#blockUsed, from);
      from += copied;
      this.#blockUsed += copied;
      this.#pieces[this.#pieces.length - 1] = this.#block.subarray(0, this.#blockUsed);
    }
  }

  /** Everything added, followed by `last`, as one buffer; empty afterwards. */
  take(last: Buffer): Buffer {
    if (this.size === 0) return last;
    this.#pieces.push(last);
    const whole = Buffer.concat(this.#pieces, this.size + last.length);
    this.clear();
    return whole;
  }

  /** A copy of the first bytes, at most `count`. */
  prefix(count: number): Buffer {
    const found: Buffer[] = [];
    let left = count;
    for (const piece of this.#pieces) {
      if (left <= 0) break;
      found.push(piece.subarray(0, left));
      left -= piece.length;
    }
    return Buffer.concat(found);
  }

  clear(): void {
    this.size = 0;
    this.#pieces = [];
    this.#block = undefined;
  }
}
