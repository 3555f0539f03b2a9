import { lstatSync, readlinkSync, renameSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { join, relative } from 'node:path';
import type { ContentStore, KeyRing, TrustStore } from '@mmm/bundle';
import { listPermissions, MmmError, type Permission, parsePermissionKey, permissionKey } from '@mmm/protocol';
import type { InstallOptions, InstallReport } from './api.ts';
import type { AuditLog } from './audit/audit-log.ts';
import { claimData } from './data-owner.ts';
import { readSpec } from './discover/spec.ts';
import { diskName, type Home } from './home.ts';
import { publisherOf } from './identity.ts';
import { decide } from './permit/decide.ts';
import type { RiskContext } from './permit/paths.ts';
import type { PermissionPolicy } from './permit/policy.ts';
import { checkRequest, riskOf } from './permit/risk.ts';
import type { Store } from './store/store.ts';
import { verifyFolder } from './verify/verify.ts';
import { changeOf, checkVersionChange } from './version-change.ts';

export interface InstallServices {
  readonly home: Home;
  readonly trust: TrustStore;
  readonly keys: Pick<KeyRing, 'list'>;
  readonly content: ContentStore;
  readonly store: Store;
  readonly audit: AuditLog;
  readonly policy: PermissionPolicy;
  readonly project: string | undefined;
  now(): Date;
}

/**
 * Verifies a plugin folder, copies it into the store, records the grants and makes it the active one of its name. Until
 * the last step, the switch of a link, nothing of the version installed before has changed.
 */
export async function installPlugin(
  path: string,
  options: InstallOptions,
  services: InstallServices,
): Promise<InstallReport> {
  const spec = await readSpec(path, 'path');
  const { name, version } = spec.manifest.plugin;
  const { allowUnsigned } = options;
  if (allowUnsigned !== undefined && allowUnsigned !== name) {
    const message = `allowUnsigned (--allow-unsigned) names "${allowUnsigned}", but the one in ${path} is "${name}".`;
    throw new MmmError('USAGE', message, { argument: '--allow-unsigned' });
  }
  const requested = listPermissions(spec.manifest.permissions);
  checkRequests(name, requested);
  const folder = await verifyFolder(spec, services, allowUnsigned ?? null);
  const granted = chosenGrants(name, requested, options, services);
  const before = services.store.plugins.get(name);
  const allowDowngrade = options.allowDowngrade === true;
  await checkVersionChange({ name, version, folder, before, allowDowngrade }, services);
  await services.content.put(spec.directory, folder.stored);
  const publisher = publisherOf(folder.trust);
  const at = services.now().toISOString();
  const unsignedException = folder.trust.kind === 'unsigned' ? folder.bundleSha256 : null;
  if (unsignedException !== null) {
    services.audit.append({
      action: 'override',
      plugin: name,
      detail: { what: 'unsigned', bundle: folder.bundleSha256 },
    });
  }
  services.audit.append({
    action: 'install',
    plugin: name,
    detail: {
      version,
      bundle: folder.bundleSha256,
      trust: folder.trust,
      granted: granted.map(permissionKey),
      replaced: before?.version ?? null,
    },
  });
  services.store.grants.add(name, publisher, granted, 'flag', at);
  services.store.plugins.installed(name, {
    bundleSha256: folder.bundleSha256,
    version,
    installedAt: at,
    unsignedException,
  });
  activate(services.home, name, folder.bundleSha256);
  const dataKept = claimData(spec, folder.trust, services);
  const keys = new Set(services.store.grants.list(name, publisher).map(({ key }) => key));
  const decision = decide(requested, keys, services.policy, riskContext(services));
  const trust = folder.trust.kind === 'signed' ? folder.trust : { kind: folder.trust.kind };
  return {
    id: name,
    version,
    bundleSha256: folder.bundleSha256,
    trust,
    granted: decision.granted.map(permissionKey),
    missing: decision.missing.map(permissionKey),
    replaced: before?.version ?? null,
    change: changeOf(before?.version ?? null, version),
    dataKept,
  };
}

/** A manifest that asks for what is never granted is refused whole: its author has to take it out. */
export function checkRequests(plugin: string, requested: readonly Permission[]): void {
  for (const permission of requested) {
    const problem = checkRequest(permission);
    if (problem === undefined) continue;
    const grant = permissionKey(permission);
    throw new MmmError('GRANT_INVALID', `Plugin "${plugin}" asks for ${grant}, which is never granted: ${problem}`, {
      plugin,
      grant,
      reason: problem,
    });
  }
}

/** What the options grant of what is requested. Throws GRANT_INVALID. */
export function chosenGrants(
  plugin: string,
  requested: readonly Permission[],
  options: Pick<InstallOptions, 'grant' | 'grantRequested'>,
  services: Pick<InstallServices, 'home' | 'project'>,
): Permission[] {
  const named = requestedByKey(plugin, requested, options.grant ?? []);
  if (options.grantRequested !== true) return named;
  // Critical permissions are agreed to one by one, never by a flag that grants all.
  const rest = requested.filter((permission) => riskOf(permission, riskContext(services)) !== 'critical');
  return [...new Map([...rest, ...named].map((permission) => [permissionKey(permission), permission])).values()];
}

/** What makes a path critical besides the fixed list: this home, this project. */
export function riskContext(services: { readonly home: Home; readonly project: string | undefined }): RiskContext {
  const { home, project } = services;
  return project === undefined ? { home: home.directory } : { home: home.directory, project };
}

/** The manifest's own entries for the keys given. Throws GRANT_INVALID for a key it does not ask for. */
export function requestedByKey(
  plugin: string,
  requested: readonly Permission[],
  keys: readonly string[],
): Permission[] {
  return keys.map((key) => {
    const parsed = parsePermissionKey(key);
    if ('problem' in parsed)
      throw new MmmError('GRANT_INVALID', parsed.problem, { plugin, grant: key, reason: parsed.problem });
    const wanted = permissionKey(parsed);
    const entry = requested.find((permission) => permissionKey(permission) === wanted);
    if (entry !== undefined) return entry;
    const asked = requested.map(permissionKey).join(', ') || 'nothing';
    throw new MmmError('GRANT_INVALID', `Plugin "${plugin}" does not ask for ${wanted}. It asks for: ${asked}.`, {
      plugin,
      grant: key,
      reason: 'not requested by the manifest',
    });
  });
}

/** Switches `plugins/<name>` to a bundle of the store in one step. */
function activate(home: Home, name: string, bundleSha256: string): void {
  const link = join(home.plugins, diskName(name));
  const existing = lstatSync(link, { throwIfNoEntry: false });
  if (existing !== undefined && !existing.isSymbolicLink()) {
    throw new MmmError(
      'PLUGIN_NAME_TAKEN',
      `${link} is a folder that mmm did not install. Move it away, then install again.`,
      {
        plugin: name,
        directories: [link],
      },
    );
  }
  const fresh = join(home.plugins, `.${diskName(name)}.${process.pid}.new`);
  rmSync(fresh, { force: true });
  symlinkSync(relative(home.plugins, join(home.store, bundleSha256)), fresh);
  renameSync(fresh, link);
}

/** The bundle that the active link points to, or null when there is none. */
export function activeBundle(home: Home, name: string): string | null {
  try {
    return (
      readlinkSync(join(home.plugins, diskName(name)))
        .split('/')
        .at(-1) ?? null
    );
  } catch (error) {
    // EINVAL: it is no link.
    if (['ENOENT', 'EINVAL'].includes((error as NodeJS.ErrnoException).code ?? '')) return null;
    throw error;
  }
}

/** Takes the active link away. Returns the bundle it pointed to, or null when there is none, or no more. */
export function deactivate(home: Home, name: string): string | null {
  const bundle = activeBundle(home, name);
  if (bundle === null) return null;
  try {
    unlinkSync(join(home.plugins, diskName(name)));
    return bundle;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}
