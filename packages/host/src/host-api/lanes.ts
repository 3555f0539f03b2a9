/** Things that must begin in the order in which they came, in lanes that do not wait for each other. */
export class Lanes {
  readonly #tails = new Map<string, Promise<void>>();

  /**
   * Begins the work when everything before it in its lane has begun or failed to. The work says when it has; when it
   * is over it has in any case. Settles as the work does, or with the signal's reason while it waits.
   */
  async enter<T>(lane: string, signal: AbortSignal, work: (begun: () => void) => Promise<T>): Promise<T> {
    const before = this.#tails.get(lane);
    let begun: () => void = () => undefined;
    const own = new Promise<void>((resolve) => {
      begun = resolve;
    });
    const tail = before === undefined ? own : before.then(() => own);
    this.#tails.set(lane, tail);
    void tail.then(() => {
      if (this.#tails.get(lane) === tail) this.#tails.delete(lane);
    });
    try {
      await before;
      signal.throwIfAborted();
      return await work(begun);
    } finally {
      begun();
    }
  }
}
