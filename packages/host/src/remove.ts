import { randomBytes } from 'node:crypto';
import { readdirSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ContentStore, removeTree } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import { activeBundle, deactivate } from './active-bundle.ts';
import type { AuditLog } from './audit/audit-log.ts';
import type { Configurations } from './configuration.ts';
import { dataFolders } from './data-owner.ts';
import type { PluginSpec } from './discover/spec.ts';
import { safeText } from './display/safe-text.ts';
import { diskName, type Home } from './home.ts';
import { whileNobodyElseInstalls } from './install-lock.ts';
import { logFiles } from './log/plugin-log.ts';
import type { MetricsRecorder } from './metrics/recorder.ts';
import type { Store } from './store/store.ts';

export interface RemoveServices {
  readonly home: Home;
  readonly store: Store;
  readonly content: ContentStore;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly metrics: Pick<MetricsRecorder, 'forget'>;
  readonly configurations: Configurations;
}

/**
 * Takes an installed plugin away, which runs no longer here; in another process it may. Its link goes last: whatever
 * fails before, the plugin is still there to be removed again. `found`: what the search path has under its name. Throws
 * PLUGIN_NOT_FOUND, DATA_NOT_REMOVED.
 */
export async function removePlugin(
  id: string,
  found: PluginSpec | undefined,
  keepData: boolean,
  services: RemoveServices,
): Promise<void> {
  const { home, store, metrics, configurations } = services;
  const bundle = activeBundle(home, id);
  if (bundle === null) throw notInstalled(id, found);
  await recordAndRemoveData(id, bundle, keepData, services);
  if (!keepData) {
    configurations.remove(id);
    store.values.removeAll(id);
  }
  store.grants.removeAll(id);
  metrics.forget(id);
  store.statistics.removeAll(id);
  for (const file of logFiles(join(home.logs, `${diskName(id)}.jsonl`))) await rm(file, { force: true });
  store.installSteps.removeAll(id);
  store.permissionUses.removeAll(id);
  store.modelExchanges.removeAll(id);
  const discard = whileNobodyElseInstalls(home, () => {
    const active = activeBundle(home, id);
    if (active === null) throw notInstalled(id, found);
    // Another process installed it anew meanwhile: that is another decision.
    if (active !== bundle) return () => Promise.resolve();
    return takeAway(id, bundle, services);
  });
  await discard();
}

/** Its link goes last. What it returns takes its bundles off the disk. */
function takeAway(id: string, bundle: string, services: RemoveServices): () => Promise<void> {
  const { home, store } = services;
  const waiting = store.waitingUpdates.get(id)?.bundleSha256;
  const kept = store.previousBundles.list(id).map(({ bundleSha256 }) => bundleSha256);
  store.waitingUpdates.remove(id);
  store.previousBundles.removeAll(id);
  store.plugins.removed(id);
  const bundles = [bundle, ...(waiting === undefined ? [] : [waiting]), ...kept];
  const discards = [...new Set(bundles)].map((one) => moveAsideUnused(one, services));
  deactivate(home, id);
  return async () => {
    for (const discard of discards) await discard();
  };
}

/** Takes a bundle out of the store, unless it is used: by another plugin, an update that waits, or for a rollback. */
export async function removeUnused(
  bundle: string,
  services: Pick<RemoveServices, 'home' | 'store' | 'content'>,
): Promise<void> {
  // Within the lock, so that nobody makes it an active one in between.
  const discard = whileNobodyElseInstalls(services.home, () => moveAsideUnused(bundle, services));
  await discard();
}

function moveAsideUnused(
  bundle: string,
  { store, content }: Pick<RemoveServices, 'store' | 'content'>,
): () => Promise<void> {
  const isUsed =
    store.waitingUpdates.bundles().includes(bundle) ||
    store.previousBundles.bundles().includes(bundle) ||
    store.plugins.list().some(({ bundleSha256 }) => bundleSha256 === bundle);
  return isUsed ? () => Promise.resolve() : content.moveAside(bundle);
}

/**
 * The record comes first, as always. Only where it cannot be written, because the disk is full, the data goes first:
 * it may be what filled the disk, and a plugin must not be able to prevent its own removal.
 */
async function recordAndRemoveData(
  id: string,
  bundle: string,
  keepData: boolean,
  { home, audit }: RemoveServices,
): Promise<void> {
  const record = (): void => audit.append({ action: 'remove', plugin: id, detail: { bundle, keepData } });
  if (keepData) {
    record();
    return;
  }
  let isRecorded = true;
  try {
    record();
  } catch (error) {
    if (!MmmError.is(error, 'STATE_UNREADABLE')) throw error;
    isRecorded = false;
  }
  await removeData(home, id);
  if (!isRecorded) record();
}

/**
 * Out of its place in one step first, so that a start meanwhile does not get half of it. The plugin may still run in
 * another process and write: `removeTree` is made for that.
 */
async function removeData(home: Home, id: string): Promise<void> {
  const aside = `.removing-${diskName(id)}.`;
  for (const folder of dataFolders(home, id)) {
    moveAside(folder, join(home.data, `${aside}${randomBytes(8).toString('hex')}`));
  }
  for (const name of readdirSync(home.data)) {
    if (!name.startsWith('.removing-')) continue;
    const folder = join(home.data, name);
    const remains = await removeTree(folder);
    // What an earlier removal of another plugin left behind is tried again, and is not this one's failure.
    if (remains === undefined || !name.startsWith(aside)) continue;
    const path = join(folder, safeText(remains.path, 400));
    const reason = safeText(remains.reason, 400);
    throw new MmmError(
      'DATA_NOT_REMOVED',
      `The data of plugin "${id}" could not be removed: ${path}: ${reason}. Mend that and try again, or ` +
        `keep what is left with: mmm plugin remove ${id} --keep-data`,
      { plugin: id, path, reason },
    );
  }
}

/** Another removal may have been faster. */
function moveAside(folder: string, aside: string): void {
  try {
    renameSync(folder, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function notInstalled(id: string, found: PluginSpec | undefined): MmmError<'PLUGIN_NOT_FOUND'> {
  const where =
    found === undefined || found.origin === 'installed'
      ? 'There is no'
      : `It lies in ${found.directory} and is removed there; there is no installed`;
  return new MmmError('PLUGIN_NOT_FOUND', `${where} plugin "${id}".`, { plugin: id, known: [] });
}
