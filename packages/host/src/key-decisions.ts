import {
  type KeyRing,
  type KeyRole,
  keyidOf,
  parsePublicKey,
  type SigningKey,
  type SigningKeyInfo,
  type TrustedKey,
  type TrustStore,
} from '@mmm/bundle';
import type { AuditLog } from './audit/audit-log.ts';
import type { PluginSpec } from './discover/spec.ts';
import type { Home } from './home.ts';
import { assertKeepsTrust, assertMaySign } from './key-changes.ts';

/** Where own keys and decisions about the keys of others are kept. */
export interface KeyServices {
  readonly keys: KeyRing;
  readonly trust: TrustStore;
  readonly audit: Pick<AuditLog, 'append'>;
  readonly home: Home;
  /** Whether a revocation list that is missing or has expired refuses plugins, as `[trust]` of config.toml says. */
  readonly currentRevocations: boolean;
  /** Whose plugin it has been so far. */
  boundPublisher(spec: PluginSpec): string | null;
  now(): Date;
  /** Ends at once what runs and is not trusted any more. */
  trustChanged(): void;
}

/** Makes an own key, which this machine then trusts for every plugin: to sign them, or as root to revoke them. */
export async function createKey(
  name: string,
  role: 'publisher' | 'root',
  { keys, trust, audit, now }: KeyServices,
): Promise<SigningKeyInfo> {
  const { keyid, publicKey, fingerprint } = await keys.create(name, ({ keyid, fingerprint }) =>
    audit.append({ action: 'key', detail: { event: 'created', keyid, fingerprint, name, role } }),
  );
  await trust.add({ publicKey, name, role, scopes: ['*'] }, now());
  return { name, keyid, publicKey, fingerprint };
}

/** What is to be trusted: a public key in base64, under a name, for plugins. */
export interface KeyToTrust {
  readonly publicKey: string;
  readonly name: string;
  readonly scopes: readonly string[];
  /** `publisher` signs plugins, `root` revocation lists. Default: publisher. */
  readonly role?: 'publisher' | 'root';
  /** ISO 8601, UTC: what it signed is refused afterwards. Default: none. */
  readonly notAfter?: string;
  /** Also when that takes something from a key that is trusted already. */
  readonly replace?: boolean;
}

/** Throws KEY_EXISTS for a key that would lose something, unless it says `replace`. */
export async function trustKey(key: KeyToTrust, services: KeyServices): Promise<TrustedKey> {
  const { keys, trust, audit, home, now, trustChanged } = services;
  const { publicKey, name, scopes, notAfter } = key;
  const role: KeyRole = key.role ?? 'publisher';
  const keyid = keyidOf(parsePublicKey(publicKey));
  const before = trust.find(keyid);
  if (before !== undefined && before.revoked === undefined && key.replace !== true) {
    const isOwn = (await keys.list()).some((own) => own.keyid === keyid);
    assertKeepsTrust(before, { name, role, scopes, notAfter }, isOwn, home.trustFile);
  }
  const trusted = await trust.add({ publicKey, name, role, scopes: [...scopes], notAfter }, now(), (added) =>
    audit.append({
      action: 'key',
      detail: {
        event: 'trusted',
        keyid,
        fingerprint: added.fingerprint,
        name,
        role,
        scopes,
        notAfter: notAfter ?? null,
      },
    }),
  );
  trustChanged();
  return trusted;
}

/** Nothing that the key signed runs from now on, what runs already included. */
export async function revokeKey(key: string, reason: string, services: KeyServices): Promise<TrustedKey> {
  const { trust, audit, now, trustChanged } = services;
  const revoked = await trust.revoke(key, reason, now(), ({ keyid, fingerprint, name }) =>
    audit.append({ action: 'key', detail: { event: 'revoked', keyid, fingerprint, name, reason } }),
  );
  trustChanged();
  return revoked;
}

/** Without a name: the only own key that still signs plugins, else `default`. Throws KEY_NOT_FOUND. */
export async function usualKey(
  name: string | undefined,
  { keys, trust }: Pick<KeyServices, 'keys' | 'trust'>,
): Promise<SigningKey> {
  if (name !== undefined) return await keys.get(name);
  const inUse = (await keys.list()).filter(({ keyid }) => {
    const trusted = trust.find(keyid);
    return trusted === undefined || (trusted.role !== 'root' && trusted.revoked === undefined && !trusted.successor);
  });
  return await keys.get(inUse.length === 1 ? inUse[0]?.name : undefined);
}

/** The own key of this name to sign a plugin folder with. Throws KEY_NOT_FOUND, and what `assertMaySign` throws. */
export async function signingKey(
  name: string | undefined,
  directory: string,
  { keys, trust, now }: Pick<KeyServices, 'keys' | 'trust' | 'now'>,
): Promise<SigningKey> {
  const key = await usualKey(name, { keys, trust });
  assertMaySign(key, directory, trust, now());
  return key;
}
