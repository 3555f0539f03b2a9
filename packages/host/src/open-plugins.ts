import type { Catalog } from './catalog.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { Handles } from './handles.ts';
import type { Session } from './handshake/session.ts';
import { recordId } from './identity.ts';
import type { Launcher } from './launcher.ts';
import type { PluginHandle } from './plugin.ts';
import { sameBytes } from './reload.ts';

type LaunchNew = (signal: AbortSignal) => Promise<Session>;

export interface OpenPluginsParts {
  readonly catalog: Catalog;
  readonly handles: Handles;
  readonly launcher: Pick<Launcher, 'launch'>;
  handle(spec: PluginSpec, launch: LaunchNew): PluginHandle;
  /** Brings a handle to what the catalog knows under its name. */
  catchUp(id: string): Promise<unknown>;
  /** Throws HOST_CLOSED. */
  assertOpen(): void;
}

/** The one way to the handle of a plugin, for embedders and for plugins that need another one. */
export class OpenPlugins {
  readonly #parts: OpenPluginsParts;

  constructor(parts: OpenPluginsParts) {
    this.#parts = parts;
  }

  /**
   * The handle of a plugin that the catalog knows; starts nothing. One that was made for other content is brought to
   * what is there now: at once, or while what runs goes on. Throws what `Catalog.find` throws.
   */
  async open(id: string): Promise<PluginHandle> {
    const spec = await this.#find(id);
    const handle = await this.asItIs(id);
    if (handle.spec === spec || sameBytes(handle.spec, spec)) return handle;
    const caughtUp = this.#parts.catchUp(id).catch(() => undefined);
    if (isAtRest(handle)) await caughtUp;
    return handle;
  }

  /** The same, of whatever version it is. */
  async asItIs(id: string): Promise<PluginHandle> {
    const { handles, launcher } = this.#parts;
    return await handles.turn(id, async () => {
      const spec = await this.#find(id);
      const existing = handles.get(id);
      if (existing !== undefined && (sameBytes(existing.spec, spec) || isVersionOf(existing.spec, spec)))
        return existing;
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

/** Of one plugin, with one set of decisions and data: not a project's in the place of an installed one. */
function isVersionOf(one: PluginSpec, other: PluginSpec): boolean {
  return one.origin !== 'registered' && other.origin !== 'registered' && recordId(one) === recordId(other);
}

/** Nothing runs or is about to. */
function isAtRest({ state: { kind } }: PluginHandle): boolean {
  return kind === 'stopped' || kind === 'failed' || kind === 'backoff' || kind === 'quarantined';
}
