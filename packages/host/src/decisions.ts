import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TrustStore } from '@mmm/bundle';
import { listPermissions, MmmError, type Permission, permissionKey } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import type { PluginSummary, TrustSummary } from './api.ts';
import type { GrantReport, PermissionSummary } from './api-permissions.ts';
import type { AuditLog } from './audit/audit-log.ts';
import { refuseByPolicy, requestedByKey, riskContext } from './chosen-grants.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { Home } from './home.ts';
import { publisherOf, recordId } from './identity.ts';
import { hostLimits } from './limits.ts';
import { summarizePermissions } from './permission-summary.ts';
import { decide } from './permit/decide.ts';
import type { PermissionPolicy } from './permit/policy.ts';
import type { Store } from './store/store.ts';
import type { PluginState } from './supervise/state.ts';
import type { StagedUpdate } from './waiting-update.ts';

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
export function isEnabled(
  spec: PluginSpec,
  services: Pick<DecisionServices, 'store'>,
  record = services.store.plugins.get(recordId(spec)),
): boolean {
  return record?.enabled ?? spec.origin !== 'project';
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

/** Without what needs a look at other plugins. */
export function summarize(
  spec: PluginSpec,
  services: DecisionServices,
  state: PluginState['kind'],
): Omit<PluginSummary, 'unmet'> {
  const { version, description } = spec.manifest.plugin;
  const record = services.store.plugins.get(recordId(spec));
  return {
    id: spec.id,
    version,
    description,
    origin: spec.origin,
    directory: spec.directory,
    enabled: isEnabled(spec, services, record),
    // Most ask for nothing, and a thousand questions to the store are what a long list waits for.
    needsConsent: asksForSomething(spec) && report(spec, services).missing.length > 0,
    state,
    trust: claimedTrust(spec, services, record),
    bundleSha256: spec.origin === 'installed' ? (record?.bundleSha256 ?? null) : null,
    waiting: spec.origin === 'installed' ? (services.store.waitingUpdates.get(spec.id)?.version ?? null) : null,
  };
}

function asksForSomething({ manifest }: PluginSpec): boolean {
  return listPermissions(manifest.permissions).length > 0;
}

/** Every permission of the manifest with what was decided about it. */
export function describe(spec: PluginSpec, services: DecisionServices): readonly PermissionSummary[] {
  return summarizePermissions(spec, grantedKeys(spec, services), services);
}

/** What the plugin asks for, or the update that waits for it; each is filed under whom it was granted to. */
export function grantPermissions(
  spec: PluginSpec,
  keys: readonly string[],
  services: DecisionServices,
  update?: StagedUpdate,
): GrantReport {
  const active = listPermissions(spec.manifest.permissions);
  const offered = update === undefined ? [] : listPermissions(update.plugin.spec.manifest.permissions);
  const chosen = requestedByKey(spec.id, [...active, ...offered], keys);
  refuseByPolicy(spec.id, chosen, services);
  const publisher = publisherFor(spec, services);
  const permissions = chosen.map(permissionKey);
  services.audit.append({ action: 'grant', plugin: spec.id, detail: { permissions, publisher, source: 'user' } });
  const at = services.now().toISOString();
  services.store.grants.add(recordId(spec), publisher, within(chosen, active), 'user', at);
  if (update !== undefined) {
    services.store.grants.add(spec.id, publisherOf(update.plugin.trust), within(chosen, offered), 'user', at);
  }
  return { ...report(spec, services), updated: null, step: null };
}

function within(chosen: readonly Permission[], requested: readonly Permission[]): readonly Permission[] {
  const keys = new Set(requested.map(permissionKey));
  return chosen.filter((permission) => keys.has(permissionKey(permission)));
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
  return { ...report(spec, services), updated: null, step: null };
}

function report(spec: PluginSpec, services: DecisionServices): Omit<GrantReport, 'updated' | 'step'> {
  const decision = decide(listPermissions(spec.manifest.permissions), grantedKeys(spec, services), services.policy, {
    ...riskContext(services),
    plugin: spec.id,
  });
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
  if (trust.publisher !== undefined) return trust.publisher;
  return trust.kind === 'unverified' ? 'unsigned' : trust.kind;
}

function claimedTrust(
  spec: PluginSpec,
  services: Pick<DecisionServices, 'store' | 'trust'>,
  record = services.store.plugins.get(recordId(spec)),
): TrustSummary {
  if (spec.origin === 'registered') return { kind: 'registered' };
  if (
    spec.origin === 'installed' &&
    record?.unsignedException != null &&
    spec.directory.endsWith(record.unsignedException)
  ) {
    return { kind: 'unsigned' };
  }
  for (const keyid of claimedKeyids(spec.directory)) {
    const key = services.trust.find(keyid);
    if (key === undefined || services.trust.revocationOf(keyid, spec.id) !== undefined) continue;
    const { name: keyName, fingerprint } = key;
    return { kind: 'signed', keyid, keyName, fingerprint, publisher: services.trust.publisherOf(keyid) };
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
