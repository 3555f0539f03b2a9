import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrustStore } from '@mmm/bundle';
import { listPermissions, MmmError, permissionKey } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import type { GrantReport, PermissionSummary, PluginSummary, TrustSummary } from './api.ts';
import type { AuditLog } from './audit/audit-log.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { Home } from './home.ts';
import { recordId } from './identity.ts';
import { requestedByKey, riskContext } from './install.ts';
import { hostLimits } from './limits.ts';
import { decide } from './permit/decide.ts';
import type { PermissionPolicy } from './permit/policy.ts';
import { describePermission, riskOf } from './permit/risk.ts';
import type { Store } from './store/store.ts';
import type { PluginState } from './supervise/state.ts';

/** Where what a user decided is kept: enabled or not, granted or not. */
export interface DecisionServices {
  readonly store: Store;
  readonly trust: TrustStore;
  readonly policy: PermissionPolicy;
  readonly audit: AuditLog;
  readonly home: Home;
  readonly project: string | undefined;
  now(): Date;
}

/** A project's plugin is off until its user switched it on in that folder; any other is on until switched off. */
export function isEnabled(spec: PluginSpec, services: Pick<DecisionServices, 'store'>): boolean {
  return services.store.plugins.get(recordId(spec))?.enabled ?? spec.origin !== 'project';
}

/**
 * Asserts before each call that the plugin is enabled. Asking the store takes as long as the rest of a fast call, so
 * what it said holds for a moment: another process's decision is seen after `hostLimits.enabledMs` at the latest.
 */
export class EnabledCheck {
  readonly #store: DecisionServices['store'];
  readonly #clock: Clock;
  #untilMs = new WeakMap<PluginSpec, number>();

  constructor(store: DecisionServices['store'], clock: Clock) {
    this.#store = store;
    this.#clock = clock;
  }

  /** Throws PLUGIN_DISABLED. */
  assert(spec: PluginSpec): void {
    const nowMs = this.#clock.monotonic();
    const untilMs = this.#untilMs.get(spec);
    if (untilMs !== undefined && nowMs < untilMs) return;
    assertEnabled(spec, { store: this.#store });
    this.#untilMs.set(spec, nowMs + hostLimits.enabledMs);
  }

  /** This process decided about a plugin: its next call asks the store. */
  forget(): void {
    this.#untilMs = new WeakMap();
  }
}

function assertEnabled(spec: PluginSpec, services: Pick<DecisionServices, 'store'>): void {
  if (isEnabled(spec, services)) return;
  const why =
    spec.origin === 'project'
      ? `Plugin "${spec.id}" comes with the project in ${spec.directory} and was not enabled here yet.`
      : `Plugin "${spec.id}" is disabled.`;
  throw new MmmError('PLUGIN_DISABLED', `${why} Run: mmm plugin enable ${spec.id}`, { plugin: spec.id });
}

export function summarize(spec: PluginSpec, services: DecisionServices, state: PluginState['kind']): PluginSummary {
  const { version, description } = spec.manifest.plugin;
  const record = services.store.plugins.get(recordId(spec));
  return {
    id: spec.id,
    version,
    description,
    origin: spec.origin,
    directory: spec.directory,
    enabled: isEnabled(spec, services),
    needsConsent: report(spec, services).missing.length > 0,
    state,
    trust: claimedTrust(spec, services),
    bundleSha256: spec.origin === 'installed' ? (record?.bundleSha256 ?? null) : null,
  };
}

/** Every permission of the manifest with what was decided about it. */
export function describe(spec: PluginSpec, services: DecisionServices): readonly PermissionSummary[] {
  const requested = listPermissions(spec.manifest.permissions);
  const keys = grantedKeys(spec, services);
  const context = riskContext(services);
  const decision = decide(requested, keys, services.policy, context);
  const automatic = new Set(decision.automatic.map(permissionKey));
  const refused = new Set(decision.refused.map(permissionKey));
  return requested.map((permission) => {
    const key = permissionKey(permission);
    const open = permission.optional === true ? 'optional' : 'missing';
    const status = automatic.has(key) ? 'automatic' : keys.has(key) ? 'granted' : open;
    return {
      permission,
      key,
      risk: riskOf(permission, context),
      sentence: describePermission(permission),
      reason: permission.reason ?? null,
      status: refused.has(key) ? 'refused' : status,
    };
  });
}

export function grantPermissions(spec: PluginSpec, keys: readonly string[], services: DecisionServices): GrantReport {
  const requested = listPermissions(spec.manifest.permissions);
  const chosen = requestedByKey(spec.id, requested, keys);
  const publisher = publisherFor(spec, services);
  services.audit.append({
    action: 'grant',
    plugin: spec.id,
    detail: { permissions: chosen.map(permissionKey), publisher, source: 'user' },
  });
  services.store.grants.add(recordId(spec), publisher, chosen, 'user', services.now().toISOString());
  return report(spec, services);
}

export function revokePermissions(spec: PluginSpec, keys: readonly string[], services: DecisionServices): GrantReport {
  services.audit.append({ action: 'revoke', plugin: spec.id, detail: { permissions: keys } });
  const removed = services.store.grants.remove(recordId(spec), keys);
  if (removed < keys.length) {
    const had = [...grantedKeys(spec, services)].join(', ') || 'nothing';
    throw new MmmError(
      'GRANT_INVALID',
      `Not everything of ${keys.join(', ')} was granted to "${spec.id}". It still has: ${had}.`,
      {
        plugin: spec.id,
        grant: keys.join(' '),
        reason: 'not granted',
      },
    );
  }
  return report(spec, services);
}

function report(spec: PluginSpec, services: DecisionServices): GrantReport {
  const decision = decide(
    listPermissions(spec.manifest.permissions),
    grantedKeys(spec, services),
    services.policy,
    riskContext(services),
  );
  return { granted: decision.granted.map(permissionKey), missing: decision.missing.map(permissionKey) };
}

function grantedKeys(spec: PluginSpec, services: DecisionServices): ReadonlySet<string> {
  const publisher = publisherFor(spec, services);
  return new Set(services.store.grants.list(recordId(spec), publisher).map(({ key }) => key));
}

/**
 * Whose plugin it claims to be. Good enough to show and to file a decision under, never to launch: a launch verifies,
 * and takes only grants filed under the key that really signed.
 */
export function publisherFor(spec: PluginSpec, services: Pick<DecisionServices, 'store' | 'trust'>): string {
  const trust = claimedTrust(spec, services);
  return trust.kind === 'signed' ? (trust.keyid ?? trust.kind) : trust.kind === 'unverified' ? 'unsigned' : trust.kind;
}

function claimedTrust(spec: PluginSpec, services: Pick<DecisionServices, 'store' | 'trust'>): TrustSummary {
  if (spec.origin === 'registered') return { kind: 'registered' };
  const record = services.store.plugins.get(recordId(spec));
  if (
    spec.origin === 'installed' &&
    record?.unsignedException != null &&
    spec.directory.endsWith(record.unsignedException)
  ) {
    return { kind: 'unsigned' };
  }
  for (const keyid of claimedKeyids(spec.directory)) {
    const key = services.trust.find(keyid);
    if (key !== undefined && key.revoked === undefined) return { kind: 'signed', keyid, keyName: key.name };
  }
  return { kind: 'unverified' };
}

function claimedKeyids(directory: string): readonly string[] {
  try {
    const text = readFileSync(join(directory, '.mmm', 'signatures.json'), 'utf8');
    const parsed: unknown = JSON.parse(text.slice(0, 16_384));
    const signatures = (parsed as { signatures?: readonly { keyid?: unknown }[] } | null)?.signatures ?? [];
    return signatures.map(({ keyid }) => keyid).filter((keyid): keyid is string => typeof keyid === 'string');
  } catch {
    return [];
  }
}
