import { type Permission, permissionKey } from '@mmm/protocol';
import type { PermissionPolicy, PolicyContext } from './policy.ts';
import { checkRequest, riskOf } from './risk.ts';

/** Each requested permission is in exactly one of granted, missing, optional and refused. */
export interface Decision {
  /** What the plugin gets: granted by the user or by policy. Each is an entry of the manifest. */
  readonly granted: readonly Permission[];
  /** Those of `granted` that nobody was asked about. */
  readonly automatic: readonly Permission[];
  /** Required, and nobody has decided. */
  readonly missing: readonly Permission[];
  /** Not required and not granted: the plugin does without. */
  readonly optional: readonly Permission[];
  /** Never granted, by their nature or by the policy; required and optional ones. */
  readonly refused: readonly Permission[];
}

/**
 * Requested × granted × policy. Pure. Only what the manifest requests can come out as granted: a grant of anything else
 * has no effect. A permission that is requested twice counts once, and as required if one of the two is.
 */
export function decide(
  requested: readonly Permission[],
  grantedKeys: ReadonlySet<string>,
  policy: PermissionPolicy,
  context: PolicyContext = {},
): Decision {
  const decision = {
    granted: [] as Permission[],
    automatic: [] as Permission[],
    missing: [] as Permission[],
    optional: [] as Permission[],
    refused: [] as Permission[],
  };
  for (const [key, permission] of once(requested)) {
    const { verdict } = policy.about(permission, riskOf(permission, context), context);
    if (verdict === 'refuse' || checkRequest(permission) !== undefined) {
      decision.refused.push(permission);
    } else if (grantedKeys.has(key)) {
      decision.granted.push(permission);
    } else if (verdict === 'automatic') {
      decision.granted.push(permission);
      decision.automatic.push(permission);
    } else if (permission.optional === true) {
      decision.optional.push(permission);
    } else {
      decision.missing.push(permission);
    }
  }
  return decision;
}

function once(requested: readonly Permission[]): Map<string, Permission> {
  const byKey = new Map<string, Permission>();
  for (const permission of requested) {
    const key = permissionKey(permission);
    const earlier = byKey.get(key);
    if (earlier === undefined || earlier.optional === true) byKey.set(key, permission);
  }
  return byKey;
}
