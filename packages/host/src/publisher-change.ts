import { MmmError } from '@mmm/protocol';
import type { AuditSink } from './audit/audit-log.ts';
import { claimData, type DataOwnerServices } from './data-owner.ts';
import type { PluginSpec } from './discover/spec.ts';
import { publisherOf, recordId } from './identity.ts';
import type { Store } from './store/store.ts';
import type { Trust } from './verify/verified.ts';

type Signed = Extract<Trust, { kind: 'signed' }>;

/** The publisher that a plugin is bound to, when another one signed this; undefined when one of the two is nobody. */
export function otherPublisher(bound: string | null, trust: Trust): string | undefined {
  // Not `unsigned` or `registered`: what nobody signed has no publisher.
  const isKey = bound !== null && /^[0-9a-f]{32}$/.test(bound);
  return isKey && trust.kind === 'signed' && trust.publisher !== bound ? bound : undefined;
}

/**
 * Refuses to start what another publisher signed than the plugin is bound to: by its installation or, for one that is
 * only found, by its first start. Throws PUBLISHER_CHANGED, which the caller audits.
 */
export function assertSamePublisher(spec: PluginSpec, trust: Trust, { store }: { readonly store: Store }): void {
  if (trust.kind !== 'signed' || spec.origin === 'development') return;
  const bound = otherPublisher(store.plugins.publisherOf(recordId(spec)), trust);
  if (bound !== undefined) throw publisherChanged(spec.id, bound, trust, `mmm plugin enable ${spec.id}`);
}

/** Binds a plugin to whoever signs it now, because its user named it. Audited. */
export function acceptPublisher(spec: PluginSpec, trust: Trust, services: DataOwnerServices): void {
  const bound = otherPublisher(services.store.plugins.publisherOf(recordId(spec)), trust);
  if (bound === undefined) return;
  recordChange('override', spec.id, bound, trust, services.audit);
  claimData(spec, trust, services);
}

export function recordChange(
  action: 'override' | 'refused',
  plugin: string,
  bound: string,
  trust: Trust,
  audit: AuditSink,
): void {
  audit.append({ action, plugin, detail: { what: 'publisher', from: bound, to: publisherOf(trust) } });
}

/** `command` is what allows it, when the plugin is named with it. */
export function publisherChanged(
  plugin: string,
  bound: string,
  trust: Signed,
  command: string,
): MmmError<'PUBLISHER_CHANGED'> {
  return new MmmError(
    'PUBLISHER_CHANGED',
    `Plugin "${plugin}" belongs to the publisher with the key ${bound}, and this one is signed by ` +
      `"${trust.keyName}" (${trust.fingerprint}). If its publisher has a new key, import their rotation ` +
      '(`mmm key rotations import FILE`). If you want the one of this publisher, without the data and the grants of ' +
      `the other: ${command} --allow-publisher-change ${plugin}`,
    { plugin, installedBy: bound, offeredBy: trust.keyid },
  );
}
