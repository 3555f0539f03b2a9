import { lstatSync, readdirSync, renameSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditSink } from './audit/audit-log.ts';
import type { PluginSpec } from './discover/spec.ts';
import { diskName, type Home } from './home.ts';
import { dataDirectory, privateName, publisherOf, recordId } from './identity.ts';
import type { Store } from './store/store.ts';
import type { Trust } from './verify/verified.ts';

export interface DataOwnerServices {
  readonly home: Home;
  readonly store: Store;
  readonly audit: AuditSink;
}

/**
 * Binds the data folder and the uid of a plugin to who signed it, at each installation and each launch. A plugin of the
 * same name by somebody else starts with an empty folder and another uid; what the one before wrote lies beside it, as
 * `data/<name>.<keyid>`, and is its own again when its publisher comes back. Returns where the data of the one before
 * went, or null when nothing was moved. Audited.
 */
export function claimData(spec: PluginSpec, trust: Trust, { home, store, audit }: DataOwnerServices): string | null {
  const publisher = publisherOf(trust);
  const own = dataDirectory(home, spec);
  const besides = (of: string): string => join(home.data, `${privateName(spec)}.${of}`);
  let kept: string | null = null;
  store.plugins.claim(recordId(spec), publisher, (former) => {
    const place = besides(former);
    const aside = exists(place) ? freeName(place) : place;
    const isMoved = exists(own);
    audit.append({
      action: 'publisher',
      plugin: spec.id,
      detail: { from: former, to: publisher, data: isMoved ? aside : null },
    });
    if (isMoved) {
      renameSync(own, aside);
      kept = aside;
    }
    if (exists(besides(publisher))) renameSync(besides(publisher), own);
  });
  return kept;
}

/** All folders that hold data of an installed plugin, whoever signed it. */
export function dataFolders(home: Home, id: string): readonly string[] {
  const name = diskName(id);
  // A disk name has no dot, so that this is never another plugin's.
  return readdirSync(home.data)
    .filter((entry) => entry === name || entry.startsWith(`${name}.`))
    .map((entry) => join(home.data, entry));
}

/** Only after a crash between the move and its record is the name taken. */
function freeName(path: string): string {
  for (let number = 2; ; number += 1) {
    if (!exists(`${path}.${number}`)) return `${path}.${number}`;
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
