import {
  type KeyRing,
  keyidOf,
  parsePublicKey,
  type SigningKey,
  type SigningKeyInfo,
  type TrustedKey,
  type TrustStore,
} from '@mmm/bundle';
import type { AuditLog } from './audit/audit-log.ts';
import type { Home } from './home.ts';
import { assertKeepsTrust, assertMaySign } from './key-changes.ts';

/** Where own keys and decisions about the keys of others are kept. */
export interface KeyServices {
  readonly keys: KeyRing;
  readonly trust: TrustStore;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly home: Home;
  now(): Date;
}

/** Makes an own key, which this machine then trusts for every plugin. */
export async function createKey(name: string, { keys, trust, audit, now }: KeyServices): Promise<SigningKeyInfo> {
  const { keyid, publicKey, fingerprint } = await keys.create(name);
  audit.append({ action: 'key', detail: { event: 'created', keyid, name } });
  await trust.add({ publicKey, name, role: 'publisher', scopes: ['*'] }, now());
  return { name, keyid, publicKey, fingerprint };
}

/** What is to be trusted: a public key in base64, under a name, for plugins. */
export interface KeyToTrust {
  readonly publicKey: string;
  readonly name: string;
  readonly scopes: readonly string[];
  /** Also when that takes something from a key that is trusted already. */
  readonly replace?: boolean;
}

/** Throws KEY_EXISTS for a key that would lose something, unless it says `replace`. */
export async function trustKey(key: KeyToTrust, services: KeyServices): Promise<TrustedKey> {
  const { keys, trust, audit, home, now } = services;
  const { publicKey, name, scopes } = key;
  const keyid = keyidOf(parsePublicKey(publicKey));
  const before = trust.find(keyid);
  if (before !== undefined && before.revoked === undefined && key.replace !== true) {
    const isOwn = (await keys.list()).some((own) => own.keyid === keyid);
    assertKeepsTrust(before, key, isOwn, home.trustFile);
  }
  const trusted = await trust.add({ publicKey, name, role: 'publisher', scopes: [...scopes] }, now());
  audit.append({ action: 'key', detail: { event: 'trusted', keyid, name, scopes } });
  return trusted;
}

export async function revokeKey(key: string, reason: string, { trust, audit, now }: KeyServices): Promise<TrustedKey> {
  const revoked = await trust.revoke(key, reason, now());
  audit.append({ action: 'key', detail: { event: 'revoked', keyid: revoked.keyid, name: revoked.name, reason } });
  return revoked;
}

/** The own key of this name to sign a plugin folder with. Throws KEY_NOT_FOUND, and KEY_REVOKED for a revoked one. */
export async function signingKey(
  name: string | undefined,
  directory: string,
  { keys, trust }: KeyServices,
): Promise<SigningKey> {
  const key = await keys.get(name);
  assertMaySign(key, directory, trust);
  return key;
}
