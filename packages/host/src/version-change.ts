import type { KeyRing } from '@mmm/bundle';
import { type ErrorCode, errorHelp, MmmError } from '@mmm/protocol';
import compare from 'semver/functions/compare.js';
import type { InstallOptions, InstallReport } from './api.ts';
import type { AuditSink } from './audit/audit-log.ts';
import { otherPublisher, publisherChanged, recordChange } from './publisher-change.ts';
import type { PluginRecord, Store } from './store/store.ts';
import type { VerifiedFolder } from './verify/verify.ts';

export interface VersionChange {
  readonly name: string;
  readonly version: string;
  readonly folder: Pick<VerifiedFolder, 'bundleSha256' | 'trust'>;
  /** What is installed under this name. */
  readonly before: PluginRecord | undefined;
  readonly options: Pick<InstallOptions, 'allowDowngrade' | 'allowVersionReuse' | 'allowPublisherChange'>;
}

export interface VersionServices {
  readonly keys: Pick<KeyRing, 'list'>;
  readonly store: Pick<Store, 'versions'>;
  readonly audit: AuditSink;
}

/**
 * Refuses what an update must not be unless its user says so: the plugin of another publisher, an older version whose
 * mistakes the installed one may have mended, and other bytes under a version that was installed before, be it removed
 * since. The last only own work may be, because that is how plugins are made. Throws PUBLISHER_CHANGED,
 * VERSION_DOWNGRADE and VERSION_REUSED; what is refused and what is allowed by name is audited.
 */
export async function checkVersionChange(change: VersionChange, services: VersionServices): Promise<void> {
  checkPublisher(change, services);
  checkDowngrade(change, services);
  await checkReuse(change, services);
}

/** The first installation binds a name to its publisher, for as long as it is installed. */
function checkPublisher({ name, folder, before, options }: VersionChange, { audit }: VersionServices): void {
  const { trust } = folder;
  const bound = before?.bundleSha256 == null ? undefined : otherPublisher(before.publisher, trust);
  if (bound === undefined || trust.kind !== 'signed') return;
  const isAllowed = options.allowPublisherChange === name;
  recordChange(isAllowed ? 'override' : 'refused', name, bound, trust, audit);
  if (!isAllowed) throw publisherChanged(name, bound, trust, 'add');
}

function checkDowngrade({ name, version, folder, before, options }: VersionChange, { audit }: VersionServices): void {
  const installed = before?.version ?? null;
  if (installed === null || before?.bundleSha256 === folder.bundleSha256 || compare(version, installed) >= 0) return;
  const isAllowed = options.allowDowngrade === true;
  const detail = { what: 'version', from: installed, to: version, bundle: folder.bundleSha256 };
  audit.append({ action: isAllowed ? 'override' : 'refused', plugin: name, detail });
  if (isAllowed) return;
  throw new MmmError(
    'VERSION_DOWNGRADE',
    `Plugin "${name}" is installed as ${installed}, and this is ${version}: an older one, perhaps with mistakes ` +
      'that were mended since. If you want it, add --allow-downgrade.',
    { plugin: name, installed, offered: version },
  );
}

async function checkReuse(change: VersionChange, { keys, store, audit }: VersionServices): Promise<void> {
  const { name, version, folder, options } = change;
  const { trust, bundleSha256 } = folder;
  // What nobody signed is named each time (`--allow-unsigned`), for exactly these bytes.
  if (trust.kind !== 'signed') return;
  const known = store.versions.bundleOf(name, trust.publisher, version);
  if (known === null || known === bundleSha256) return;
  const isOwn = (await keys.list()).some(({ keyid }) => keyid === trust.keyid);
  const isAllowed = isOwn && options.allowVersionReuse === name;
  const detail = { what: 'version_reuse', version, from: known, to: bundleSha256 };
  audit.append({ action: isAllowed ? 'override' : 'refused', plugin: name, detail });
  if (isAllowed) return;
  const next = isOwn
    ? `Raise \`version\` in its manifest and sign it again; \`mmm plugin dev\` runs it without either. For this ` +
      `once, name it: --allow-version-reuse ${name}`
    : 'Ask its publisher for a new version.';
  throw new MmmError(
    'VERSION_REUSED',
    `Plugin "${name}" ${version} was installed before with other content: a version is published once. ${next}`,
    { plugin: name, version, installedSha256: known, offeredSha256: bundleSha256 },
  );
}

/** An exception names the plugin it is for, so that none is made for another one by mistake. Throws USAGE. */
export function checkNamed(name: string, path: string, options: InstallOptions): void {
  const named = {
    '--allow-unsigned': options.allowUnsigned,
    '--allow-version-reuse': options.allowVersionReuse,
    '--allow-publisher-change': options.allowPublisherChange,
  };
  for (const [flag, given] of Object.entries(named)) {
    if (given === undefined || given === name) continue;
    const message = `${flag} names "${given}", but the plugin in ${path} is "${name}".`;
    throw new MmmError('USAGE', message, { argument: flag });
  }
}

/** That something is not trusted or not intact is a decision against it, and decisions are in the log. */
export function recordRefusal(plugin: string, version: string, error: unknown, audit: AuditSink): void {
  if (!(error instanceof MmmError) || !errorHelp[error.code as ErrorCode].number.startsWith('E02')) return;
  const detail = { what: 'install', version, error: error.code, reason: error.message };
  audit.append({ action: 'refused', plugin, detail });
}

export function changeOf(before: string | null, version: string): InstallReport['change'] {
  if (before === null) return 'installed';
  const order = compare(version, before);
  return order === 0 ? 'reinstalled' : order < 0 ? 'downgraded' : 'updated';
}
