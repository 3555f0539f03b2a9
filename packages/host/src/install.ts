import { existsSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type ContentStore, diskFailure, type KeyRing, type TrustStore } from '@mmm/bundle';
import { listPermissions, MmmError, type Permission, permissionKey } from '@mmm/protocol';
import { makeActive } from './active-bundle.ts';
import type { InstallOptions, InstallReport } from './api.ts';
import type { AuditLog } from './audit/audit-log.ts';
import {
  checkRequests,
  chosenGrants,
  isRefused,
  refuseByPolicy,
  requestedByKey,
  riskContext,
} from './chosen-grants.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { Home } from './home.ts';
import { publisherOf } from './identity.ts';
import { whileNobodyElseInstalls } from './install-lock.ts';
import { skipInstallStep } from './install-step.ts';
import { decide } from './permit/decide.ts';
import { type PermissionPolicy, policyRefused } from './permit/policy.ts';
import { type PluginSource, withSource } from './plugin-source.ts';
import { similarNames } from './similar-names.ts';
import type { PluginRecord, Store } from './store/store.ts';
import type { VerifiedFolder } from './verify/verify.ts';
import { changeOf, checkNamed, checkVersionChange, recordRefusal } from './version-change.ts';
import { mustWait, stageUpdate } from './waiting-update.ts';

export interface InstallServices {
  readonly home: Home;
  readonly trust: TrustStore;
  readonly keys: Pick<KeyRing, 'list'>;
  readonly content: ContentStore;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly policy: PermissionPolicy;
  readonly project: string | undefined;
  /** Whether a revocation list that is missing or has expired refuses. */
  readonly currentRevocations: boolean;
  /** Whose plugin it has been so far. */
  boundPublisher(spec: PluginSpec): string | null;
  now(): Date;
}

/**
 * Verifies a plugin folder or archive, puts it into the store, records the grants and makes it the active one of its
 * name. Until the last step, the switch of a link, nothing of the version installed before has changed.
 */
export async function installPlugin(
  path: string,
  options: InstallOptions,
  services: InstallServices,
): Promise<InstallReport> {
  const trusted = options.allowUnsigned === undefined ? 'signed' : 'unsigned';
  // An archive that was refused has no name and version that could be believed.
  const onRefused = (error: unknown): void => recordRefusal(basename(path), '', error, services.audit);
  const install = (source: PluginSource) => installSource(path, source, options, services);
  try {
    return await withSource(path, services, { trusted, onRefused }, install);
  } catch (error) {
    const file = services.home.store;
    throw diskFailure(error, { what: `The store ${file}`, file, after: 'What was installed before is untouched.' });
  }
}

async function installSource(
  path: string,
  source: PluginSource,
  options: InstallOptions,
  services: InstallServices,
): Promise<InstallReport> {
  const { spec } = source;
  const { name, version } = spec.manifest.plugin;
  checkNamed(name, path, options);
  const requested = listPermissions(spec.manifest.permissions);
  checkRequests(name, requested);
  const folder = await source.verify(options.allowUnsigned ?? null).catch((error: unknown) => {
    recordRefusal(name, version, error, services.audit);
    throw error;
  });
  const refusal = services.policy.refusesPublisher(folder.trust, spec.origin);
  if (refusal !== undefined) throw policyRefused(name, refusal, services.audit);
  const required = requested.filter(({ optional }) => optional !== true);
  refuseByPolicy(name, [...required, ...requestedByKey(name, requested, options.grant ?? [])], services);
  const granted = chosenGrants(name, requested, options, services).filter(
    (permission) => !isRefused(name, permission, services),
  );
  const verified: Verified = { spec, requested, granted, folder, options };
  let before = services.store.plugins.get(name);
  await checkVersionChange({ name, version, folder, before, options }, services);
  await source.keep(folder);
  const { bundleSha256 } = folder;
  if (folder.trust.kind === 'unsigned') {
    services.audit.append({ action: 'override', plugin: name, detail: { what: 'unsigned', bundle: bundleSha256 } });
  }
  if (options.hooks === false) {
    skipInstallStep({ spec, bundleSha256 }, { ...services, steps: services.store.installSteps });
  }
  for (;;) {
    const report = await activate(verified, before, services);
    if (report !== undefined) return report;
    // Another process installed something of this name meanwhile, which this was not judged against.
    before = services.store.plugins.get(name);
    await checkVersionChange({ name, version, folder, before, options }, services);
  }
}

/** What may be installed, for all that can be said without a look at what is. */
interface Verified {
  readonly spec: PluginSpec;
  readonly folder: VerifiedFolder;
  readonly requested: readonly Permission[];
  /** By the flags of this installation. */
  readonly granted: readonly Permission[];
  readonly options: InstallOptions;
}

/** Makes it the active version, or lets it wait. Undefined when what is installed is no longer `before`. */
async function activate(
  { spec, folder, requested, granted }: Verified,
  before: PluginRecord | undefined,
  services: InstallServices,
): Promise<InstallReport | undefined> {
  const { name, version } = spec.manifest.plugin;
  const { home, store, policy } = services;
  const { bundleSha256 } = folder;
  const publisher = publisherOf(folder.trust);
  const keys = new Set([...store.grants.list(name, publisher), ...granted.map(asGrant)].map(({ key }) => key));
  const decision = decide(requested, keys, policy, { ...riskContext(services), plugin: name });
  const similar = before === undefined ? similarNames(name, publisher, store.plugins.list()) : [];
  const offered = { spec, name, version, bundleSha256, trust: folder.trust, similar };
  const waits = await mustWait(name, decision, bundleSha256, services);
  return whileNobodyElseInstalls(home, () => {
    if (!isSameInstallation(before, store.plugins.get(name))) return undefined;
    assertInStore(join(home.store, bundleSha256));
    store.versions.installed(name, publisher, version, bundleSha256);
    if (waits) {
      stageUpdate(offered, decision.missing, services);
      store.grants.add(name, publisher, granted, 'flag', services.now().toISOString());
    }
    const dataKept = waits ? null : makeActive(offered, granted, services);
    const trust = folder.trust.kind === 'signed' ? folder.trust : { kind: folder.trust.kind };
    return {
      id: name,
      version,
      bundleSha256,
      trust,
      granted: decision.granted.map(permissionKey),
      missing: decision.missing.map(permissionKey),
      replaced: before?.version ?? null,
      change: waits ? 'waiting' : changeOf(before?.version ?? null, version),
      dataKept,
      similar,
      step: null,
      reload: null,
    };
  });
}

/** Another process may have found that nothing uses it, right before this one was to. */
function assertInStore(directory: string): void {
  if (existsSync(directory)) return;
  const message = `${directory} was removed by another process while it was being installed. Install it again.`;
  throw new MmmError('BUNDLE_CHANGED', message, { directory, file: '.', reason: 'missing' });
}

function isSameInstallation(before: PluginRecord | undefined, now: PluginRecord | undefined): boolean {
  return (
    (before?.bundleSha256 ?? null) === (now?.bundleSha256 ?? null) &&
    (before?.publisher ?? null) === (now?.publisher ?? null)
  );
}

function asGrant(permission: Permission): { readonly key: string } {
  return { key: permissionKey(permission) };
}
