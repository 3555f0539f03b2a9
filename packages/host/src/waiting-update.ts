import { join } from 'node:path';
import { heardEvents, listPermissions, type Permission, permissionKey } from '@mmm/protocol';
import { makeActive, type Offered } from './active-bundle.ts';
import type { PermissionSummary, WaitingUpdate } from './api-permissions.ts';
import type { AuditSink } from './audit/audit-log.ts';
import { riskContext } from './chosen-grants.ts';
import { type PluginSpec, readSpec } from './discover/spec.ts';
import { diskName, type Home } from './home.ts';
import { publisherOf } from './identity.ts';
import { whileNobodyElseInstalls } from './install-lock.ts';
import { summarizePermissions } from './permission-summary.ts';
import { type Decision, decide } from './permit/decide.ts';
import type { PermissionPolicy } from './permit/policy.ts';
import type { Store } from './store/store.ts';
import type { Trust, VerifiedPlugin } from './verify/verified.ts';
import { type VerifyServices, verify } from './verify/verify.ts';

export interface WaitingServices {
  readonly home: Home;
  readonly store: Store;
  readonly audit: AuditSink;
  readonly policy: PermissionPolicy;
  readonly project: string | undefined;
  now(): Date;
}

/** What is missing of an offered version; it then waits, unless nothing runs that would have to be kept. */
export async function mustWait(
  name: string,
  decision: Decision,
  bundleSha256: string,
  services: WaitingServices,
): Promise<boolean> {
  if (decision.missing.length === 0) return false;
  const record = services.store.plugins.get(name);
  if (record?.bundleSha256 == null || record.bundleSha256 === bundleSha256) return false;
  const active = await readSpec(join(services.home.plugins, diskName(name)), 'installed').catch(() => undefined);
  if (active === undefined) return false;
  const kept = decisionOf(active, record.publisher ?? '', services);
  return kept.missing.length === 0 && kept.refused.every(({ optional }) => optional === true);
}

/** Puts a verified bundle of the store by until its user agrees. One that waited before is forgotten. */
export function stageUpdate(offered: Offered, missing: readonly Permission[], services: WaitingServices): void {
  const { name, version, bundleSha256, trust } = offered;
  const { store, audit } = services;
  const stagedAt = services.now().toISOString();
  const detail = { version, bundle: bundleSha256, trust, missing: missing.map(permissionKey) };
  audit.append({ action: 'update_waits', plugin: name, detail });
  store.waitingUpdates.set(name, { bundleSha256, version, isUnsigned: trust.kind === 'unsigned', stagedAt });
}

/** The update that waits for a plugin, verified anew, and what its user would have to decide. */
export interface StagedUpdate {
  readonly plugin: VerifiedPlugin;
  readonly decision: Decision;
  readonly stagedAt: string;
}

/** Undefined when nothing waits. Throws what verifying throws: a key may have been revoked since. */
export async function readUpdate(
  name: string,
  services: WaitingServices & { readonly verify: VerifyServices },
): Promise<StagedUpdate | undefined> {
  const row = services.store.waitingUpdates.get(name);
  if (row === undefined) return undefined;
  const spec = await readSpec(join(services.home.store, row.bundleSha256), 'installed');
  const exceptionOf = (): string | null => (row.isUnsigned ? row.bundleSha256 : null);
  const plugin = await verify(spec, { ...services.verify, exceptionOf });
  return { plugin, decision: decisionOf(spec, publisherOf(plugin.trust), services), stagedAt: row.stagedAt };
}

/**
 * Makes an update the active version when nothing of it is missing any more, and it is still the one that waits.
 * Returns whether it did.
 */
export function applyUpdate({ plugin, decision }: StagedUpdate, services: WaitingServices): boolean {
  if (decision.missing.length > 0) return false;
  const { spec, bundleSha256, trust } = plugin;
  const { name, version } = spec.manifest.plugin;
  return whileNobodyElseInstalls(services.home, () => {
    // Another process installed something of this name meanwhile, or dropped what waited.
    if (services.store.waitingUpdates.get(name)?.bundleSha256 !== bundleSha256) return false;
    makeActive({ spec, name, version, bundleSha256, trust }, [], services);
    return true;
  });
}

/** As a person sees it: what it asks for, and what of that is new or no longer asked for. */
export function describeUpdate(update: StagedUpdate, active: PluginSpec, services: WaitingServices): WaitingUpdate {
  const { plugin, decision, stagedAt } = update;
  const { spec, bundleSha256, trust } = plugin;
  const before = keysOf(active);
  const after = keysOf(spec);
  const keys = grantedKeys(spec.id, publisherOf(trust), services);
  const permissions: readonly PermissionSummary[] = summarizePermissions(spec, keys, services);
  return {
    version: spec.manifest.plugin.version,
    bundleSha256,
    trust: summaryOf(trust),
    stagedAt,
    permissions,
    missing: decision.missing.map(permissionKey),
    added: [...after].filter((key) => !before.has(key)),
    removed: [...before].filter((key) => !after.has(key)),
    events: heardEvents(spec.manifest),
    step: spec.manifest.install?.command ?? null,
  };
}

function summaryOf(trust: Trust): WaitingUpdate['trust'] {
  return trust.kind === 'signed'
    ? { kind: 'signed', keyid: trust.keyid, keyName: trust.keyName, fingerprint: trust.fingerprint }
    : { kind: trust.kind };
}

function keysOf({ manifest }: PluginSpec): ReadonlySet<string> {
  return new Set(listPermissions(manifest.permissions).map(permissionKey));
}

function grantedKeys(name: string, publisher: string, { store }: WaitingServices): ReadonlySet<string> {
  return new Set(store.grants.list(name, publisher).map(({ key }) => key));
}

function decisionOf({ id, manifest }: PluginSpec, publisher: string, services: WaitingServices): Decision {
  const context = { ...riskContext(services), plugin: id };
  return decide(listPermissions(manifest.permissions), grantedKeys(id, publisher, services), services.policy, context);
}
