import type { Catalog } from './catalog.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { Handles } from './handles.ts';
import type { Session } from './handshake/session.ts';
import type { Launcher } from './launcher.ts';
import type { PluginHandle } from './plugin.ts';

type LaunchNew = (signal: AbortSignal) => Promise<Session>;

export interface OpenPluginsParts {
  readonly catalog: Catalog;
  readonly handles: Handles;
  readonly launcher: Pick<Launcher, 'launch'>;
  handle(spec: PluginSpec, launch: LaunchNew): PluginHandle;
  /** Throws HOST_CLOSED. */
  assertOpen(): void;
}

/** The one way to the handle of a plugin, for embedders and for plugins that need another one. */
export class OpenPlugins {
  readonly #parts: OpenPluginsParts;

  constructor(parts: OpenPluginsParts) {
    this.#parts = parts;
  }

  /** The handle of a plugin that the catalog knows; starts nothing. Throws what `Catalog.find` throws. */
  async open(id: string): Promise<PluginHandle> {
    const { handles, launcher } = this.#parts;
    await this.#find(id);
    return await handles.turn(id, async () => {
      const spec = await this.#find(id);
      const existing = handles.get(id);
      // Another folder or other bytes than those the handle was made for: the old one is brought to an end first.
      const isSame =
        existing?.spec.directory === spec.directory && existing.spec.manifestSha256 === spec.manifestSha256;
      if (existing !== undefined && isSame) return existing;
      return await this.replace(spec, 'replaced', (signal) => launcher.launch(spec, signal));
    });
  }

  /** Within a turn of this plugin: ends its handle, if it has one, and makes the next. */
  async replace(spec: PluginSpec, why: string, launch: LaunchNew): Promise<PluginHandle> {
    const { handles, handle, assertOpen } = this.#parts;
    await handles.end(spec.id, why);
    assertOpen();
    return handles.add(handle(spec, launch));
  }

  async #find(id: string): Promise<PluginSpec> {
    this.#parts.assertOpen();
    return await this.#parts.catalog.find(id);
  }
}
