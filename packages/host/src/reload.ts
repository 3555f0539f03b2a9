import { basename } from 'node:path';
import { MmmError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import type { ReloadReport } from './api-reload.ts';
import type { Catalog } from './catalog.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { Handles } from './handles.ts';
import type { Session } from './handshake/session.ts';
import { publisherOf, recordId } from './identity.ts';
import type { PluginHandle } from './plugin.ts';
import type { PluginServices } from './plugin-services.ts';
import type { Store } from './store/store.ts';

export interface ReloadParts {
  readonly catalog: Pick<Catalog, 'refresh' | 'find'>;
  readonly handles: Handles;
  readonly store: Pick<Store, 'plugins'>;
  readonly clock: Pick<Clock, 'monotonic'>;
  /** The handle of a plugin, of whatever version it is; starts nothing. */
  open(id: string): Promise<PluginHandle>;
  services(spec: PluginSpec, launch: (signal: AbortSignal) => Promise<Session>): PluginServices;
  launch(spec: PluginSpec, signal: AbortSignal): Promise<Session>;
}

interface Wanted {
  /** Somebody asked for it to run. */
  start: boolean;
  readonly report: Promise<ReloadReport>;
}

interface UnderWay {
  readonly report: Promise<ReloadReport>;
  /** What comes after it, for all who asked since it began. */
  next: Wanted | undefined;
}

/**
 * Brings what runs of a plugin to the version that is installed: one reload at a time, and for everybody who asks
 * during one a single further one, which sees what is installed then.
 */
export class Reloads {
  readonly #parts: ReloadParts;
  readonly #underWay = new Map<string, UnderWay>();
  /** What could not be put in the place of what runs, by plugin. */
  readonly #failed = new Map<string, string>();

  constructor(parts: ReloadParts) {
    this.#parts = parts;
  }

  /** `start`: it is to run afterwards, also when it did not. Throws RELOAD_FAILED when the one before goes on. */
  async reload(id: string, { start }: { readonly start: boolean }): Promise<ReloadReport> {
    const underWay = this.#underWay.get(id);
    if (underWay === undefined) return await this.#begin(id, start);
    if (underWay.next !== undefined) {
      underWay.next.start ||= start;
      return await underWay.next.report;
    }
    const over = underWay.report.catch(() => undefined);
    const next: Wanted = { start, report: over.then(() => this.#begin(id, next.start)) };
    underWay.next = next;
    return await next.report;
  }

  /**
   * Brings a handle to what is found under its name by now. Does nothing for what it was brought to before and what
   * failed then: that is tried again when somebody asks for a reload. Throws as `reload`; undefined when there was
   * nothing to do.
   */
  async catchUp(id: string): Promise<ReloadReport | undefined> {
    let report: ReloadReport | undefined;
    for (;;) {
      this.#parts.catalog.refresh();
      const spec = await this.#parts.catalog.find(id);
      const handle = this.#parts.handles.get(id);
      const isThere = handle === undefined || spec.origin === 'registered' || sameBytes(handle.spec, spec);
      if (isThere || this.#failed.get(id) === keyOf(spec)) return report;
      try {
        report = await (this.#underWay.get(id)?.report ?? this.#begin(id, false));
      } catch (error) {
        if (this.#failed.get(id) === keyOf(spec)) throw error;
      }
    }
  }

  /** Catches up with what other processes installed; undefined when that is what the plugin was started from. */
  latest(spec: PluginSpec): Promise<void> | undefined {
    if (!this.#isOutdated(spec)) return undefined;
    return this.catchUp(spec.id).then(
      () => undefined,
      () => undefined,
    );
  }

  /** Another process changed the state file. */
  lookAround(): void {
    for (const { spec } of this.#parts.handles.values()) void this.latest(spec);
  }

  /** Cheap: it is asked before each start. */
  #isOutdated(spec: PluginSpec): boolean {
    if (spec.origin !== 'installed') return false;
    const active = this.#parts.store.plugins.get(spec.id)?.bundleSha256;
    return active != null && active !== basename(spec.directory) && this.#failed.get(spec.id) !== active;
  }

  #begin(id: string, start: boolean): Promise<ReloadReport> {
    const report = this.#reload(id, start);
    const underWay: UnderWay = { report, next: undefined };
    this.#underWay.set(id, underWay);
    const over = (): void => {
      if (this.#underWay.get(id) === underWay) this.#underWay.delete(id);
    };
    report.then(over, over);
    return report;
  }

  async #reload(id: string, start: boolean): Promise<ReloadReport> {
    const { catalog, clock, open } = this.#parts;
    const sinceMs = clock.monotonic();
    catalog.refresh();
    const spec = await catalog.find(id);
    const handle = await open(id);
    const before = handle.spec;
    const next = spec.origin === 'registered' ? before : spec;
    const exclusive = isExclusive(before) || isExclusive(next) || this.#isAnothers(handle, next);
    const reason = next === before || sameBytes(before, next) ? 'it was restarted' : `replaced by ${versionOf(next)}`;
    const wasLive = isLive(handle);
    const services = this.#servicesOf(next, handle);
    if (start) services.assertUsable();
    try {
      const outcome = await handle.reload(next, services, { reason, exclusive, start });
      this.#failed.delete(id);
      const durationMs = clock.monotonic() - sinceMs;
      const { generation, pid } = handle;
      return { id, version: versionOf(next), before: versionOf(before), outcome, generation, pid, durationMs };
    } catch (error) {
      if (!sameBytes(handle.spec, next)) this.#failed.set(id, keyOf(next));
      throw wasLive ? failed(handle, next, before, error) : error;
    }
  }

  /** A plugin that is part of the program is served anew by the same program. */
  #servicesOf(spec: PluginSpec, handle: PluginHandle): PluginServices {
    const { launch, services } = this.#parts;
    return spec.origin === 'registered' ? handle.services : services(spec, (signal) => launch(spec, signal));
  }

  /** Another publisher's has a data folder of its own under the same name: both at one time cannot be. */
  #isAnothers(handle: PluginHandle, next: PluginSpec): boolean {
    const { session } = handle;
    if (session === undefined || next.origin === 'registered') return false;
    const bound = this.#parts.store.plugins.publisherOf(recordId(next));
    return bound !== null && bound !== publisherOf(session.plugin.trust);
  }
}

/** Of an installed plugin that is its bundle. */
function keyOf({ origin, directory, manifestSha256 }: PluginSpec): string {
  return origin === 'installed' ? basename(directory) : `${directory} ${manifestSha256}`;
}

/** Whether two specs are of one content. */
export function sameBytes(one: PluginSpec, other: PluginSpec): boolean {
  return one.directory === other.directory && one.manifestSha256 === other.manifestSha256;
}

function isExclusive({ manifest }: PluginSpec): boolean {
  return manifest.plugin.exclusive;
}

function isLive({ state }: PluginHandle): boolean {
  return state.kind === 'running' || state.kind === 'degraded';
}

function versionOf({ manifest }: PluginSpec): string {
  return manifest.plugin.version;
}

function failed(handle: PluginHandle, next: PluginSpec, before: PluginSpec, error: unknown): MmmError {
  if (MmmError.is(error, 'HOST_CLOSED')) return error;
  const reason = error instanceof Error ? error.message : String(error);
  const [first = ''] = reason.split('\n');
  const [tried, kept] = [versionOf(next), versionOf(before)];
  const what = sameBytes(next, before) ? 'was not restarted' : `was not replaced by ${tried}`;
  handle.services.note('error', `${kept} ${what} and goes on: ${first}`);
  const cause = error instanceof MmmError ? error.code : 'INTERNAL';
  const message = `${handle.id} ${kept} ${what} and goes on. ${reason}`;
  return new MmmError('RELOAD_FAILED', message, { plugin: handle.id, version: tried, kept, cause }, { cause: error });
}
