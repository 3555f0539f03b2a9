import { join } from 'node:path';
import type { ContentStore } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import { makeActive } from './active-bundle.ts';
import type { ReloadReport, RollbackReport } from './api-reload.ts';
import { readSpec } from './discover/spec.ts';
import { whileNobodyElseInstalls } from './install-lock.ts';
import type { Reloads } from './reload.ts';
import { removeUnused } from './remove.ts';
import type { PreviousBundle } from './store/previous-bundles.ts';
import { type VerifyServices, verify } from './verify/verify.ts';
import type { WaitingServices } from './waiting-update.ts';

export interface UpdatesParts {
  readonly decisions: WaitingServices;
  readonly content: ContentStore;
  readonly reloads: Pick<Reloads, 'catchUp'>;
  verifyServices(): VerifyServices;
}

/** What follows when another bundle became the active one of a name, and the way back. One bundle before is kept. */
export class Updates {
  readonly #parts: UpdatesParts;

  constructor(parts: UpdatesParts) {
    this.#parts = parts;
  }

  /**
   * Brings what runs here to it. Throws RELOAD_FAILED when that cannot be; what was active before then is again. Null
   * when this host has nothing of the plugin.
   */
  async activated(id: string): Promise<ReloadReport | null> {
    const failing = this.#parts.decisions.store.plugins.get(id)?.bundleSha256;
    let report: ReloadReport | undefined;
    try {
      report = await this.#parts.reloads.catchUp(id);
    } catch (error) {
      const before = this.#before(id);
      if (MmmError.is(error, 'RELOAD_FAILED') && before !== undefined && failing != null) {
        await this.#makeActive(id, before, failing);
        this.#parts.decisions.store.previousBundles.remove(id, failing);
        await removeUnused(failing, this.#stored);
        await this.#parts.reloads.catchUp(id).catch(() => undefined);
      }
      throw error;
    }
    await this.#trim(id);
    return report ?? null;
  }

  /** Makes what was active before the active one again. Throws ROLLBACK_UNAVAILABLE, and what verifying throws. */
  async rollback(id: string): Promise<RollbackReport> {
    const { store } = this.#parts.decisions;
    const before = this.#before(id);
    const record = store.plugins.get(id);
    if (before === undefined || record?.bundleSha256 == null) throw unavailable(id, 'no version before it is kept');
    await this.#makeActive(id, before, record.bundleSha256);
    const reload = await this.activated(id);
    return { id, version: before.version, replaced: record.version ?? '', reload };
  }

  async #makeActive(id: string, before: PreviousBundle, replaced: string): Promise<void> {
    const { decisions, verifyServices } = this.#parts;
    const { home, store } = decisions;
    const { bundleSha256, isUnsigned } = before;
    const spec = await readSpec(join(home.store, bundleSha256), 'installed');
    const exceptionOf = (): string | null => (isUnsigned ? bundleSha256 : null);
    const { trust } = await verify(spec, { ...verifyServices(), exceptionOf });
    const { name, version } = spec.manifest.plugin;
    whileNobodyElseInstalls(home, () => {
      // Another process decided otherwise meanwhile.
      if (store.plugins.get(id)?.bundleSha256 !== replaced)
        throw unavailable(id, 'another version was installed meanwhile');
      makeActive({ spec, name, version, bundleSha256, trust }, [], decisions, 'rollback');
    });
  }

  /** An installation that was killed may have noted the active one as one before. */
  #before(id: string): PreviousBundle | undefined {
    const { previousBundles, plugins } = this.#parts.decisions.store;
    const active = plugins.get(id)?.bundleSha256;
    return previousBundles.list(id).find(({ bundleSha256 }) => bundleSha256 !== active);
  }

  /** Two versions before are one too many. */
  async #trim(id: string): Promise<void> {
    const { previousBundles } = this.#parts.decisions.store;
    for (const { bundleSha256 } of previousBundles.list(id).slice(1)) {
      previousBundles.remove(id, bundleSha256);
      await removeUnused(bundleSha256, this.#stored);
    }
  }

  get #stored() {
    const { decisions, content } = this.#parts;
    return { home: decisions.home, store: decisions.store, content };
  }
}

function unavailable(plugin: string, reason: string): MmmError<'ROLLBACK_UNAVAILABLE'> {
  const message = `"${plugin}" was not rolled back: ${reason}. Install the version you want with --allow-downgrade.`;
  return new MmmError('ROLLBACK_UNAVAILABLE', message, { plugin, reason });
}
