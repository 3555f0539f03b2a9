import { basename } from 'node:path';
import { listPermissions, MmmError, permissionKey } from '@mmm/protocol';
import type { DevelopmentOptions } from './api.ts';
import type { AuditLog } from './audit/audit-log.ts';
import { checkRequests, chosenGrants } from './chosen-grants.ts';
import { type PluginSpec, readSpec } from './discover/spec.ts';
import type { Session } from './handshake/session.ts';
import type { Home } from './home.ts';
import type { DevelopmentLaunch } from './launch-facts.ts';
import type { PluginHandle } from './plugin.ts';
import { discardSnapshot, type Snapshot, takeSnapshot } from './verify/snapshot.ts';

export interface DevelopmentParts {
  readonly options: DevelopmentOptions;
  readonly home: Home;
  readonly project: string | undefined;
  readonly audit: Pick<AuditLog, 'append'>;
  launch(spec: PluginSpec, development: DevelopmentLaunch, signal: AbortSignal): Promise<Session>;
  handle(spec: PluginSpec, launch: (signal: AbortSignal) => Promise<Session>): PluginHandle;
}

interface Generation {
  readonly handle: PluginHandle;
  readonly snapshot: Snapshot;
}

/**
 * The one folder that a host runs without a signature. Each generation is a snapshot of it with a handle of its own;
 * the next one takes its place only after it has answered, so that one that works stays there.
 */
export class Development {
  readonly #parts: DevelopmentParts;
  readonly #generations = new Set<Generation>();
  #current: Generation | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(parts: DevelopmentParts) {
    this.#parts = parts;
  }

  /** One after the other, in the order asked. Throws what reading, copying, permitting or starting it throws. */
  next(): Promise<PluginHandle> {
    const turn = this.#turn.then(() => this.#next());
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  /** Stops whatever still runs and removes every snapshot. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#generations].map((generation) => this.#discard(generation, 'the host is closing')));
    await this.#turn;
    await Promise.all([...this.#generations].map((generation) => this.#discard(generation, 'the host is closing')));
  }

  async #next(): Promise<PluginHandle> {
    const candidate = await this.#prepare();
    this.#generations.add(candidate);
    const before = this.#current;
    try {
      if (this.#closed) throw new MmmError('HOST_CLOSED', 'The host is closed.', {});
      // Only a plugin that cannot bear a second process is stopped first; it starts again by itself if it must.
      if (before !== undefined && candidate.handle.spec.manifest.plugin.exclusive)
        await before.handle.stop('reloading');
      await candidate.handle.start();
    } catch (error) {
      await this.#discard(candidate, 'it could not be started');
      throw error;
    }
    this.#current = candidate;
    if (before !== undefined) await this.#discard(before, 'replaced by what was saved');
    return candidate.handle;
  }

  /** Up to the start nothing runs: the folder is read, copied and looked at. */
  async #prepare(): Promise<Generation> {
    const { options, home, audit } = this.#parts;
    const { directory: source, manifest, manifestFile } = await readSpec(options.directory, 'development');
    const { name, version } = manifest.plugin;
    const file = basename(manifestFile) === 'plugin.yaml' ? 'plugin.yaml' : 'plugin.toml';
    const requested = listPermissions(manifest.permissions);
    checkRequests(name, requested);
    const allowed = chosenGrants(name, requested, options, this.#parts).map(permissionKey);
    const snapshot = await takeSnapshot(source, { name, version, manifest: file }, home.development);
    try {
      const spec = Object.freeze({ ...(await readSpec(snapshot.directory, 'development')), source });
      audit.append({
        action: 'override',
        plugin: name,
        detail: { what: 'development', directory: source, bundle: snapshot.bundleSha256, granted: allowed },
      });
      const handle = this.#parts.handle(spec, (signal) => this.#parts.launch(spec, { snapshot, allowed }, signal));
      return { handle, snapshot };
    } catch (error) {
      await discardSnapshot(snapshot);
      throw error;
    }
  }

  async #discard(generation: Generation, reason: string): Promise<void> {
    if (!this.#generations.delete(generation)) return;
    await generation.handle.close(reason);
    await discardSnapshot(generation.snapshot);
  }
}
