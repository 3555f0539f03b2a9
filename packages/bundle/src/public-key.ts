import { MmmError } from '@mmm/protocol';
import { decodeBase64, encodeBase64, sha256Hex } from './encoding.ts';
import { checkPublicKey } from './strict-ed25519.ts';

/** A public key as it is shown, compared and exported. */
export interface PublicKeyInfo {
  /** The first 32 hex digits of the sha256 of the raw key. It selects a key; it is no proof of anything. */
  readonly keyid: string;
  /** The 32 raw bytes in base64. */
  readonly publicKey: string;
  /** The whole sha256 in groups of four digits, for people to compare over the telephone. */
  readonly fingerprint: string;
}

export function keyidOf(publicKey: Uint8Array): string {
  return sha256Hex(publicKey).slice(0, 32);
}

export function fingerprintOf(publicKey: Uint8Array): string {
  return (sha256Hex(publicKey).match(/.{4}/g) ?? []).join(' ');
}

export function describePublicKey(publicKey: Uint8Array): PublicKeyInfo {
  return { keyid: keyidOf(publicKey), publicKey: encodeBase64(publicKey), fingerprint: fingerprintOf(publicKey) };
}

/** Reads a public key from base64. Throws KEY_INVALID for another length, another spelling, or a weak key. */
export function parsePublicKey(text: string): Uint8Array {
  const bytes = decodeBase64(text.trim(), 32);
  const problem = bytes === undefined ? 'is not 32 bytes in base64' : checkPublicKey(bytes);
  if (bytes === undefined || problem !== undefined) {
    throw new MmmError(
      'KEY_INVALID',
      `The public key ${JSON.stringify(text.slice(0, 64))} cannot be used: it ${problem}. ` +
        'Ask the publisher for the base64 line that `mmm key new` and `mmm key list` print.',
      { key: text.slice(0, 64), reason: problem ?? '' },
    );
  }
  return bytes;
}
