import { MmmError, type Permission, parsePermissionKey, permissionKey } from '@mmm/protocol';
import type { InstallOptions } from './api.ts';
import type { AuditSink } from './audit/audit-log.ts';
import type { Home } from './home.ts';
import type { RiskContext } from './permit/paths.ts';
import { deniedByPolicy } from './permit/permit.ts';
import type { PermissionPolicy } from './permit/policy.ts';
import { checkRequest, riskOf } from './permit/risk.ts';

/** What it takes to judge what somebody wants to grant. */
export interface GrantingServices {
  readonly policy: PermissionPolicy;
  readonly audit: AuditSink;
  readonly home: Home;
  readonly project: string | undefined;
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
  services: Pick<GrantingServices, 'home' | 'project'>,
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

/** A grant without effect would look like one. Throws PERMISSION_DENIED for the first that the policy refuses. */
export function refuseByPolicy(plugin: string, chosen: readonly Permission[], services: GrantingServices): void {
  const refused = chosen.find((permission) => isRefused(plugin, permission, services));
  if (refused === undefined) return;
  const detail = { permission: permissionKey(refused), by: 'policy' };
  services.audit.append({ action: 'refused', plugin, detail });
  throw deniedByPolicy(plugin, refused, services.policy, { ...riskContext(services), plugin });
}

export function isRefused(
  plugin: string,
  permission: Permission,
  services: Pick<GrantingServices, 'policy' | 'home' | 'project'>,
): boolean {
  const context = { ...riskContext(services), plugin };
  return services.policy.about(permission, riskOf(permission, context), context).verdict === 'refuse';
}
