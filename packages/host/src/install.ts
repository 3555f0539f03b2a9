import { basename } from 'node:path';
import type { ContentStore, KeyRing, TrustStore } from '@mmm/bundle';
import { listPermissions, type Permission, permissionKey } from '@mmm/protocol';
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
import { skipInstallStep } from './install-step.ts';
import { decide } from './permit/decide.ts';
import { type PermissionPolicy, policyRefused } from './permit/policy.ts';
import { type PluginSource, withSource } from './plugin-source.ts';
import type { Store } from './store/store.ts';
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
  return await withSource(path, services, { trusted, onRefused }, install);
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
  const before = services.store.plugins.get(name);
  await checkVersionChange({ name, version, folder, before, options }, services);
  await source.keep(folder);
  const publisher = publisherOf(folder.trust);
  const { bundleSha256 } = folder;
  if (folder.trust.kind === 'unsigned') {
    services.audit.append({ action: 'override', plugin: name, detail: { what: 'unsigned', bundle: bundleSha256 } });
  }
  const keys = new Set([...services.store.grants.list(name, publisher), ...granted.map(asGrant)].map(({ key }) => key));
  const decision = decide(requested, keys, services.policy, { ...riskContext(services), plugin: name });
  const offered = { spec, name, version, bundleSha256, trust: folder.trust };
  const waits = await mustWait(name, decision, bundleSha256, services);
  if (options.hooks === false) {
    skipInstallStep({ spec, bundleSha256 }, { ...services, steps: services.store.installSteps });
  }
  services.store.versions.installed(name, publisher, version, bundleSha256);
  if (waits) {
    stageUpdate(offered, decision.missing, services);
    services.store.grants.add(name, publisher, granted, 'flag', services.now().toISOString());
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
    step: null,
  };
}

function asGrant(permission: Permission): { readonly key: string } {
  return { key: permissionKey(permission) };
}
