/** How fast a peer is read: a bucket of one second's worth. What is over it waits in the pipe, and the peer with it. */
export class InputRate {
  readonly #bytesPerSecond: number;
  #left: number;
  #refilledAtMs: number;

  constructor(bytesPerSecond: number, nowMs: number) {
    this.#bytesPerSecond = bytesPerSecond;
    this.#left = bytesPerSecond;
    this.#refilledAtMs = nowMs;
  }

  spend(bytes: number): void {
    this.#left -= bytes;
  }

  /** How long nothing more may be handled; 0 while there is room. */
  waitMs(nowMs: number): number {
    const refilled = ((nowMs - this.#refilledAtMs) / 1000) * this.#bytesPerSecond;
    this.#left = Math.min(this.#bytesPerSecond, this.#left + refilled);
    this.#refilledAtMs = nowMs;
    return this.#left >= 0 ? 0 : (-this.#left / this.#bytesPerSecond) * 1000;
  }
}
