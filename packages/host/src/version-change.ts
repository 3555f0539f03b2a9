import type { KeyRing } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import compare from 'semver/functions/compare.js';
import type { InstallReport } from './api.ts';
import type { AuditSink } from './audit/audit-log.ts';
import type { PluginRecord } from './store/store.ts';
import type { VerifiedFolder } from './verify/verify.ts';

export interface VersionChange {
  readonly name: string;
  readonly version: string;
  readonly folder: Pick<VerifiedFolder, 'bundleSha256' | 'trust'>;
  /** What is installed under this name. */
  readonly before: PluginRecord | undefined;
  readonly allowDowngrade: boolean;
}

/**
 * Refuses to go back to a version whose mistakes the installed one has mended, unless that is wanted, and other bytes
 * under a version that is installed already. Own keys may sign one version again and again: that is how plugins are
 * made; the same goes for one that is unsigned and was. Throws VERSION_DOWNGRADE and VERSION_REUSED, both audited.
 */
export async function checkVersionChange(
  change: VersionChange,
  { keys, audit }: { readonly keys: Pick<KeyRing, 'list'>; readonly audit: AuditSink },
): Promise<void> {
  const { name, version, folder, before, allowDowngrade } = change;
  const installed = before?.version ?? null;
  if (installed === null || before?.bundleSha256 === folder.bundleSha256) return;
  const detail = { what: 'version', from: installed, to: version, bundle: folder.bundleSha256 };
  if (compare(version, installed) < 0) {
    audit.append({ action: allowDowngrade ? 'override' : 'refused', plugin: name, detail });
    if (allowDowngrade) return;
    throw new MmmError(
      'VERSION_DOWNGRADE',
      `Plugin "${name}" is installed as ${installed}, and this is ${version}: an older one, perhaps with mistakes ` +
        'that were mended since. If you want it, add --allow-downgrade.',
      { plugin: name, installed, offered: version },
    );
  }
  if (version !== installed || (await isOwnWork(change, keys))) return;
  audit.append({ action: 'refused', plugin: name, detail });
  throw new MmmError(
    'VERSION_REUSED',
    `Plugin "${name}" ${version} is installed already, with other content: a version is published once. Ask its ` +
      `publisher for a new version, or, if you trust this one, first run: mmm plugin remove ${name}`,
    { plugin: name, version, installedSha256: before?.bundleSha256 ?? '', offeredSha256: folder.bundleSha256 },
  );
}

async function isOwnWork({ folder, before }: VersionChange, keys: Pick<KeyRing, 'list'>): Promise<boolean> {
  const { trust } = folder;
  if (trust.kind !== 'signed') return before?.unsignedException != null;
  return (await keys.list()).some(({ keyid }) => keyid === trust.keyid);
}

export function changeOf(before: string | null, version: string): InstallReport['change'] {
  if (before === null) return 'installed';
  const order = compare(version, before);
  return order === 0 ? 'reinstalled' : order < 0 ? 'downgraded' : 'updated';
}
