/**
 * What led to what: while a plugin handles events, whatever it emits is taken to come from the deepest of them. That is
 * more than is true of some, and never less: a chain of events that lead to each other is seen to its end.
 */
export class EventCauses {
  readonly #handling = new Map<string, number[]>();

  /** The depth of what a plugin emits now. */
  depthOf(plugin: string): number {
    const depths = this.#handling.get(plugin);
    return depths === undefined ? 0 : Math.max(...depths) + 1;
  }

  /** Runs what is done in a plugin because of an event of this depth. */
  async during<T>(plugin: string, depth: number, work: () => Promise<T>): Promise<T> {
    const depths = this.#handling.get(plugin) ?? [];
    this.#handling.set(plugin, depths);
    depths.push(depth);
    try {
      return await work();
    } finally {
      depths.splice(depths.indexOf(depth), 1);
      if (depths.length === 0) this.#handling.delete(plugin);
    }
  }
}
