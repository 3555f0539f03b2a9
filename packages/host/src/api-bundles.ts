import type { TrustSummary } from './api.ts';

/** A minisign signature to be checked instead of those in an archive. */
export interface MinisignToVerify {
  /** The text of the `.minisig` file. */
  readonly signature: string;
  /** The minisign public key that must have made it. Default: any key that is trusted for the plugin. */
  readonly key?: string;
}

export interface MinisignReport {
  /** As minisign calls the key: 16 hex digits. */
  readonly keyid: string;
  /** As the trust store calls it; null for a key that was given. */
  readonly keyName: string | null;
  /** Signed, and written by the signer: show it with `safeText`. */
  readonly trustedComment: string;
  readonly prehashed: boolean;
}

export interface VerifyReport {
  readonly id: string;
  readonly version: string;
  readonly bundleSha256: string;
  readonly trust: TrustSummary;
  readonly files: number;
  readonly bytes: number;
  /** What vouches for it when that was asked for; `trust` is then what the signatures inside are worth. Else null. */
  readonly minisign: MinisignReport | null;
}
