import type { PluginHandle } from './plugin.ts';

/**
 * The handles of a host, one a plugin. Whatever makes, replaces or ends the handle of a plugin does so in a turn, after
 * what was asked before: two at once would leave one process that nobody knows.
 */
export class Handles {
  readonly #handles = new Map<string, PluginHandle>();
  readonly #turns = new Map<string, Promise<unknown>>();

  get(id: string): PluginHandle | undefined {
    return this.#handles.get(id);
  }

  values(): readonly PluginHandle[] {
    return [...this.#handles.values()];
  }

  /** Within a turn, after `end`. */
  add<H extends PluginHandle>(handle: H): H {
    this.#handles.set(handle.id, handle);
    return handle;
  }

  /** Within a turn: stops the plugin for good, if it has a handle. */
  async end(id: string, reason: string): Promise<void> {
    const handle = this.#handles.get(id);
    if (handle === undefined) return;
    await handle.close(reason);
    this.#handles.delete(id);
  }

  /** Runs `work` when every earlier turn of this plugin is over. Settles as `work` does. */
  async turn<T>(id: string, work: () => Promise<T>): Promise<T> {
    const before = this.#turns.get(id);
    const turn = before === undefined ? work() : before.then(work);
    const over = turn.catch(() => undefined);
    this.#turns.set(id, over);
    try {
      return await turn;
    } finally {
      if (this.#turns.get(id) === over) this.#turns.delete(id);
    }
  }
}
