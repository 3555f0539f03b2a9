import { MmmError } from '@mmm/protocol';
import { bundleLimits } from './limits.ts';
import type { RevocationList } from './revocations.ts';
import type { Rotation } from './rotation.ts';
import { statementUntrusted } from './statement.ts';
import type { StoredKey, StoredRevocations, TrustState } from './trust-file.ts';

interface Circumstances {
  readonly now: Date;
  revocation(keyid: string): { readonly at: string; readonly reason: string } | undefined;
}

/** What a rotation makes of the trust store; the same object when it is in force already. Throws why it is refused. */
export function handOver(state: TrustState, rotation: Rotation, circumstances: Circumstances): TrustState {
  const { keys, rotations } = state;
  const { from, to, cutoverAt, statement } = rotation;
  const former = rotations.find((known) => known.from === from.keyid);
  if (former?.to === to.keyid) return state;
  const old = keys.find(({ keyid }) => keyid === from.keyid);
  if (old === undefined) {
    throw refused(`you do not trust the old key ${from.keyid}, so it has nothing to hand over`);
  }
  assertMayHandOver(old, rotation, circumstances);
  if (former !== undefined) {
    throw refused(`${old.name} (${old.keyid}) handed over to ${former.to} already, and a key has one successor`);
  }
  if (rotations.some((known) => known.to === to.keyid)) {
    throw refused(`the new key ${to.keyid} is the successor of another key already`);
  }
  if (leadsTo(state, to.keyid, from.keyid)) throw refused('its new key comes before its old one');
  const before = keys.find(({ keyid }) => keyid === to.keyid);
  if (before !== undefined && before.role !== old.role) {
    throw refused(`you trust the new key ${before.name} as ${before.role} and the old one as ${old.role}`);
  }
  const added = { from: from.keyid, to: to.keyid, cutoverAt, statement };
  const others = keys.filter((key) => key !== old && key !== before);
  return {
    ...state,
    keys: [...others, ...successors(old, before, rotation, circumstances.now)],
    rotations: [...rotations, added],
  };
}

/** Both keys as they are afterwards. The name stays with the publisher: the old key is called by its id as well. */
function successors(old: StoredKey, before: StoredKey | undefined, { to }: Rotation, now: Date): StoredKey[] {
  // It was trusted by itself before: it keeps its name and its expiry, and covers what the old one covered as well.
  if (before !== undefined) {
    return [old, { ...before, scopes: [...new Set([...before.scopes, ...old.scopes])].slice(0, 100) }];
  }
  const { keyid, publicKey } = to;
  const { name, role, scopes, notAfter } = old;
  const expiry = notAfter === undefined ? {} : { notAfter };
  return [
    { ...old, name: retiredName(old) },
    { keyid, publicKey, name, role, scopes, ...expiry, addedAt: now.toISOString() },
  ];
}

/** What a key is called that is not in use any more: its name with the beginning of its id. */
export function retiredName({ name, keyid }: { readonly name: string; readonly keyid: string }): string {
  return `${name.slice(0, 64 - 9)}-${keyid.slice(0, 8)}`;
}

/** Whoever stole a key must not be able to hand it over to himself after that was found out. */
function assertMayHandOver(old: StoredKey, { to }: Rotation, { now, revocation }: Circumstances): void {
  for (const keyid of [old.keyid, to.keyid]) {
    const revoked = revocation(keyid);
    if (revoked === undefined) continue;
    const why = `the key ${keyid} was revoked at ${revoked.at}: ${revoked.reason}`;
    const message = `The rotation of ${old.name} is refused: ${why}.`;
    throw new MmmError('KEY_REVOKED', message, { keyid, plugin: '' });
  }
  const { keyid, name, notAfter } = old;
  if (notAfter !== undefined && now.getTime() > Date.parse(notAfter)) {
    const message =
      `The rotation of ${name} (${keyid}) is refused: the key expired at ${notAfter}. Check the new key's ` +
      'fingerprint with the publisher, then run `mmm key trust`.';
    throw new MmmError('KEY_EXPIRED', message, { keyid, plugin: '', notAfter });
  }
}

function leadsTo({ rotations }: TrustState, from: string, to: string): boolean {
  let key: string | undefined = from;
  for (let steps = 0; key !== undefined && steps <= rotations.length; steps += 1) {
    if (key === to) return true;
    key = rotations.find((known) => known.from === key)?.to;
  }
  return false;
}

function refused(reason: string): MmmError<'STATEMENT_UNTRUSTED'> {
  return statementUntrusted('The rotation', reason);
}

/**
 * What an issuer has revoked with this list; undefined when the list is in force already. Throws REVOCATIONS_OUTDATED,
 * REVOCATIONS_EXPIRED, and STATEMENT_INVALID when there would be too many entries.
 */
export function merged(
  before: StoredRevocations | undefined,
  list: RevocationList,
  issuer: string,
  now: Date,
): StoredRevocations | undefined {
  const { version, sha256, expires } = list;
  const { name } = list.signedBy;
  if (before !== undefined && version <= before.version) {
    if (version === before.version && sha256 === before.sha256) return undefined;
    throw outdated(name, version, before.version);
  }
  if (now.getTime() > Date.parse(expires)) {
    const message = `The revocation list ${version} of ${name} expired at ${expires}. Get a newer one from its issuer.`;
    throw new MmmError('REVOCATIONS_EXPIRED', message, { issuer: name, expires });
  }
  const at = now.toISOString();
  const keys = [...(before?.keys ?? [])];
  for (const { keyid, reason } of list.keys) {
    if (!keys.some((known) => known.keyid === keyid)) keys.push({ keyid, reason, at });
  }
  const bundles = [...(before?.bundles ?? [])];
  for (const bundle of list.bundles) {
    if (!bundles.some((known) => known.sha256 === bundle.sha256)) bundles.push({ ...bundle, at });
  }
  if (keys.length + bundles.length > bundleLimits.revocations) {
    const reason = `${name} would have revoked more than ${bundleLimits.revocations} keys and bundles`;
    throw new MmmError('STATEMENT_INVALID', `The revocation list is refused: ${reason}.`, { file: '', reason });
  }
  const { issuedAt, signedBy } = list;
  return { issuer, signedBy: signedBy.keyid, version, sha256, issuedAt, expires, importedAt: at, keys, bundles };
}

function outdated(issuer: string, version: number, knownVersion: number): MmmError<'REVOCATIONS_OUTDATED'> {
  const what =
    version === knownVersion
      ? `another list ${version} of ${issuer} is in force already, with other content`
      : `list ${knownVersion} of ${issuer} is in force already, and this is ${version}, an older one`;
  return new MmmError(
    'REVOCATIONS_OUTDATED',
    `The revocation list is refused: ${what}. What is known stays in force. Get the newest list from its issuer.`,
    { issuer, version, knownVersion },
  );
}
