import type { SigningKeyInfo, TrustedKey } from '@mmm/bundle';
import type { KeyToTrust } from './key-decisions.ts';
import type { RevocationsReport, RevocationsToIssue, RotationReport } from './key-statements.ts';

/** What a host decides about keys: its own, those of others, and what was said about both. Each decision is audited. */
export interface HostKeys {
  /**
   * Makes a signing key and trusts it on this machine for every plugin: to sign them, or with the role root to revoke.
   * Throws KEY_EXISTS.
   */
  createKey(name: string, options?: { readonly role?: 'publisher' | 'root' }): Promise<SigningKeyInfo>;
  /**
   * Trusts a key of somebody else for the plugins that a scope covers. Throws KEY_INVALID, KEY_REVOKED, and without
   * `replace` KEY_EXISTS when it is trusted already and is an own key, or would lose its name, role, scopes or time.
   */
  trustKey(key: KeyToTrust): Promise<TrustedKey>;
  /** Stops trusting a key, by name or keyid, for ever; what it signed and runs is stopped. Throws KEY_NOT_FOUND. */
  revokeKey(key: string, reason: string): Promise<TrustedKey>;
  /**
   * Lets a new own key take over from the own key of this name, and makes the statement for those who trust the old
   * one. Throws KEY_NOT_FOUND, KEY_REVOKED, KEY_RETIRED. Default of `cutoverAt`: now.
   */
  rotateKey(name?: string, options?: { readonly cutoverAt?: Date }): Promise<RotationReport>;
  /**
   * Follows a publisher to a new key: it gets the trust, the name, the grants and the data that the old one had. Throws
   * STATEMENT_INVALID, STATEMENT_UNTRUSTED, KEY_REVOKED, KEY_EXPIRED.
   */
  importRotation(text: string, file?: string): Promise<RotationReport>;
  /** Makes the next revocation list of an own root key; it holds here at once. Throws KEY_NOT_FOUND, KEY_ROLE_WRONG. */
  issueRevocations(revocations: RevocationsToIssue): Promise<RevocationsReport & { readonly statement: string }>;
  /**
   * Takes over a list that a trusted root key signed; what it revokes is stopped within a second. Throws STATEMENT_*,
   * REVOCATIONS_OUTDATED, REVOCATIONS_EXPIRED, KEY_ROLE_WRONG, KEY_REVOKED, KEY_RETIRED, KEY_EXPIRED.
   */
  importRevocations(text: string, file?: string): Promise<RevocationsReport>;
}
