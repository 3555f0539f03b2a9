/** Bytes made of bits, the first bit lowest. What was written whole can be taken away in between. */
export class BitWriter {
  #bytes = new Uint8Array(128 * 1024);
  #length = 0;
  #pending = 0;
  #pendingBits = 0;

  /** At most 16 bits at once. */
  write(value: number, count: number): void {
    this.#pending |= value << this.#pendingBits;
    this.#pendingBits += count;
    while (this.#pendingBits >= 8) {
      this.#push(this.#pending & 0xff);
      this.#pending >>>= 8;
      this.#pendingBits -= 8;
    }
  }

  /** Zero bits up to the next whole byte. */
  align(): void {
    if (this.#pendingBits > 0) this.write(0, 8 - this.#pendingBits);
  }

  /** To be called where a byte begins. */
  writeBytes(bytes: Uint8Array): void {
    for (const byte of bytes) this.#push(byte);
  }

  /** The whole bytes written since the last call; bits of a byte that is not full stay. */
  take(): Uint8Array {
    const taken = this.#bytes.slice(0, this.#length);
    this.#length = 0;
    return taken;
  }

  #push(byte: number): void {
    if (this.#length === this.#bytes.length) {
      const larger = new Uint8Array(2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
    }
    this.#bytes[this.#length] = byte;
    this.#length += 1;
  }
}
