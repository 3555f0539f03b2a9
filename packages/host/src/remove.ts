import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ContentStore } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import type { AuditLog } from './audit/audit-log.ts';
import type { Configurations } from './configuration.ts';
import type { PluginSpec } from './discover/spec.ts';
import { diskName, type Home } from './home.ts';
import { deactivate } from './install.ts';
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

/** Takes an installed plugin away, which runs no longer. `found`: what the search path has under its name. */
export async function removePlugin(
  id: string,
  found: PluginSpec | undefined,
  keepData: boolean,
  { home, store, content, audit, metrics, configurations }: RemoveServices,
): Promise<void> {
  const bundle = deactivate(home, id);
  if (bundle === null) {
    const where =
      found === undefined ? 'There is no' : `It lies in ${found.directory} and is removed there; there is no installed`;
    throw new MmmError('PLUGIN_NOT_FOUND', `${where} plugin "${id}".`, { plugin: id, known: [] });
  }
  audit.append({ action: 'remove', plugin: id, detail: { bundle, keepData } });
  store.grants.removeAll(id);
  store.plugins.removed(id);
  metrics.forget(id);
  store.statistics.removeAll(id);
  const usedElsewhere = store.plugins.list().some(({ bundleSha256 }) => bundleSha256 === bundle);
  if (!usedElsewhere) await content.remove(bundle);
  await rm(join(home.logs, `${diskName(id)}.jsonl`), { force: true });
  if (keepData) return;
  configurations.remove(id);
  // `rm` unlinks what it finds and follows no link the plugin may have made.
  await rm(join(home.data, diskName(id)), { recursive: true, force: true });
}
