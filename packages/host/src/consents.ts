import type { ContentStore } from '@mmm/bundle';
import { listPermissions, MmmError, type Permission, permissionKey } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import type { InstallReport } from './api.ts';
import type { GrantReport, InstallStepReport, PermissionReport, WaitingUpdate } from './api-permissions.ts';
import type { Catalog } from './catalog.ts';
import { type DecisionServices, describe, grantPermissions, revokePermissions } from './decisions.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { Handles } from './handles.ts';
import { recordId } from './identity.ts';
import { hostLimits } from './limits.ts';
import type { LiveGrants } from './live-grants.ts';
import { usesOf } from './permission-uses.ts';
import { removeUnused } from './remove.ts';
import type { VerifyServices } from './verify/verify.ts';
import { applyUpdate, describeUpdate, readUpdate, type StagedUpdate } from './waiting-update.ts';

export interface ConsentParts {
  readonly decisions: DecisionServices;
  readonly content: ContentStore;
  readonly catalog: Pick<Catalog, 'refresh' | 'find'>;
  readonly handles: Handles;
  /** What runs and can be told of a change. */
  readonly live: LiveGrants;
  readonly clock: Clock;
  verifyServices(): VerifyServices;
  /** Brings what runs of a plugin to the version that became the active one; throws RELOAD_FAILED. */
  activated(id: string): Promise<unknown>;
  /** Runs the install step of a plugin, if it is due. */
  prepare(spec: PluginSpec, signal: AbortSignal): Promise<void>;
  /** Cuts every connection of a plugin, at once. */
  cutNetwork(spec: PluginSpec): void;
  /** What was counted and not yet stored goes to the store. */
  flushUses(): void;
}

/** What users agree to after an installation, and take back, with the effect on what runs. */
export class Consents {
  readonly #parts: ConsentParts;

  constructor(parts: ConsentParts) {
    this.#parts = parts;
  }

  /** An update that then lacks nothing becomes the active version. */
  async grant(spec: PluginSpec, keys: readonly string[]): Promise<GrantReport> {
    const { decisions, handles, catalog } = this.#parts;
    const update = await this.#staged(spec);
    const report = grantPermissions(spec, keys, decisions, update);
    const decided = update === undefined ? undefined : await this.#staged(spec);
    if (decided !== undefined && applyUpdate(decided, decisions)) {
      catalog.refresh();
      const { spec: next } = decided.plugin;
      const step = await this.prepare(next);
      await this.#parts.activated(spec.id);
      return { ...report, updated: next.manifest.plugin.version, step };
    }
    // What the operating system grants a process gets at its start and never later.
    const asked = permissionsOf(spec, keys);
    const isTold = asked.length === keys.length && this.#isLive(spec) && this.#parts.live.change(spec.id, asked, []);
    if (!isTold) await handles.get(spec.id)?.stop('its permissions changed');
    return report.missing.length > 0 ? report : { ...report, step: await this.prepare(spec) };
  }

  async revoke(spec: PluginSpec, keys: readonly string[]): Promise<GrantReport> {
    const report = revokePermissions(spec, keys, this.#parts.decisions);
    const isTold = report.missing.length === 0 && this.#isLive(spec) && this.#parts.live.change(spec.id, [], keys);
    if (!isTold) await this.end(spec, 'its permissions changed');
    return report;
  }

  /**
   * Ends what runs, soon and for certain: it may hold files that were taken from it. Its connections are cut at once,
   * without asking it.
   */
  async end(spec: PluginSpec, reason: string): Promise<void> {
    this.#parts.cutNetwork(spec);
    const handle = this.#parts.handles.get(spec.id);
    if (handle === undefined) return;
    const { session } = handle;
    const late = this.#parts.clock.after(hostLimits.revokeGraceMs, () =>
      session?.kill({ kind: 'requested', detail: reason }),
    );
    await handle.stop(reason);
    late.cancel();
  }

  async update(spec: PluginSpec): Promise<WaitingUpdate | { version: string; problem: string } | null> {
    const { decisions } = this.#parts;
    const waiting = spec.origin === 'installed' ? decisions.store.waitingUpdates.get(spec.id) : undefined;
    if (waiting === undefined) return null;
    try {
      const update = await this.#staged(spec);
      return update === undefined ? null : describeUpdate(update, spec, decisions);
    } catch (error) {
      return { version: waiting.version, problem: error instanceof Error ? error.message : String(error) };
    }
  }

  /** Runs the install step, if it is due. Never throws: the report says what became of it. */
  async prepare(
    spec: PluginSpec,
    signal: AbortSignal = new AbortController().signal,
  ): Promise<InstallStepReport | null> {
    const before = this.step(spec);
    if (before === null || before.state === 'done' || before.state === 'skipped') return before;
    try {
      await this.#parts.prepare(spec, signal);
    } catch (error) {
      if (!MmmError.is(error, 'INSTALL_STEP_FAILED')) {
        return { ...before, state: 'pending', detail: error instanceof Error ? error.message : String(error) };
      }
    }
    return this.step(spec);
  }

  /** What becomes of the install step of what was installed just now: it waits for what is missing. */
  async installed({ id, missing }: InstallReport, signal?: AbortSignal): Promise<InstallStepReport | null> {
    const spec = await this.#parts.catalog.find(id);
    return missing.length > 0 ? this.step(spec) : await this.prepare(spec, signal);
  }

  /** What is recorded of the install step of an installed plugin; null when it has none. */
  step({ id, origin, manifest }: PluginSpec): InstallStepReport | null {
    const { installSteps, plugins } = this.#parts.decisions.store;
    if (manifest.install === undefined || origin !== 'installed') return null;
    const record = installSteps.get(id, plugins.get(id)?.bundleSha256 ?? '');
    const { command } = manifest.install;
    return { command, state: record?.state ?? 'pending', detail: record?.detail ?? '' };
  }

  /** False when none waits. */
  async dropUpdate({ id }: PluginSpec): Promise<boolean> {
    const { decisions, content } = this.#parts;
    const { store, audit } = decisions;
    const waiting = store.waitingUpdates.get(id);
    if (waiting === undefined) return false;
    const { version, bundleSha256 } = waiting;
    audit.append({ action: 'update_dropped', plugin: id, detail: { version, bundle: bundleSha256 } });
    store.waitingUpdates.remove(id);
    await removeUnused(bundleSha256, { home: decisions.home, store, content });
    return true;
  }

  permissions(spec: PluginSpec): PermissionReport {
    const { decisions } = this.#parts;
    this.#parts.flushUses();
    return usesOf(describe(spec, decisions), decisions.store.permissionUses.list(recordId(spec)));
  }

  /** Nothing of it is on its way to a start with what was granted before. */
  #isLive({ id }: PluginSpec): boolean {
    const kind = this.#parts.handles.get(id)?.state.kind;
    return kind === 'running' || kind === 'degraded';
  }

  async #staged(spec: PluginSpec): Promise<StagedUpdate | undefined> {
    if (spec.origin !== 'installed') return undefined;
    const { decisions, verifyServices } = this.#parts;
    return await readUpdate(spec.id, { ...decisions, verify: verifyServices() });
  }
}

function permissionsOf({ manifest }: PluginSpec, keys: readonly string[]): readonly Permission[] {
  return listPermissions(manifest.permissions).filter((permission) => keys.includes(permissionKey(permission)));
}
