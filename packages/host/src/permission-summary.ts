import { listPermissions, permissionKey } from '@mmm/protocol';
import type { PermissionSummary } from './api-permissions.ts';
import { riskContext } from './chosen-grants.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { Home } from './home.ts';
import { decide } from './permit/decide.ts';
import { entryText, type PermissionPolicy } from './permit/policy.ts';
import { describePermission, riskOf } from './permit/risk.ts';

/** Every permission of a manifest with what is decided about it, given the keys its user granted. */
export function summarizePermissions(
  { id, manifest }: PluginSpec,
  grantedKeys: ReadonlySet<string>,
  services: { readonly policy: PermissionPolicy; readonly home: Home; readonly project: string | undefined },
): readonly PermissionSummary[] {
  const requested = listPermissions(manifest.permissions);
  const context = { ...riskContext(services), plugin: id };
  const decision = decide(requested, grantedKeys, services.policy, context);
  const automatic = new Set(decision.automatic.map(permissionKey));
  const refused = new Set(decision.refused.map(permissionKey));
  return requested.map((permission) => {
    const key = permissionKey(permission);
    const risk = riskOf(permission, context);
    const { by } = services.policy.about(permission, risk, context);
    const open = permission.optional === true ? 'optional' : 'missing';
    const status = automatic.has(key) ? 'automatic' : grantedKeys.has(key) ? 'granted' : open;
    return {
      permission,
      key,
      risk,
      sentence: describePermission(permission),
      reason: permission.reason ?? null,
      status: refused.has(key) ? 'refused' : status,
      policy: by === undefined ? null : entryText(by),
    };
  });
}
