import { pluginName } from '@mmm/protocol';
import * as z from 'zod';
import { decodeBase64 } from './encoding.ts';
import { bundleLimits } from './limits.ts';
import { PrivateFileProblem } from './private-file.ts';
import { describePublicKey, keyidOf } from './public-key.ts';
import { checkPublicKey } from './strict-ed25519.ts';

/** What a key may vouch for: bundles, a registry's snapshots, revocation lists, or code under development. */
export const keyRoles = ['publisher', 'registry', 'root', 'dev'] as const;
export type KeyRole = (typeof keyRoles)[number];

export interface TrustedKey {
  readonly keyid: string;
  /** The 32 raw bytes in base64. */
  readonly publicKey: string;
  /** The whole sha256 of the raw key, for people to compare. */
  readonly fingerprint: string;
  readonly name: string;
  readonly role: KeyRole;
  /** `*`, `publisher/*` or exact plugin names. */
  readonly scopes: readonly string[];
  /** ISO 8601 in UTC; what it signed is refused afterwards. */
  readonly notAfter?: string | undefined;
  readonly addedAt: string;
  /** Present once it was revoked by the user, which is for ever. */
  readonly revoked?: { readonly at: string; readonly reason: string } | undefined;
  /** The key that it handed over to; from `cutoverAt` on it signs nothing new. */
  readonly successor?: { readonly keyid: string; readonly cutoverAt: string } | undefined;
}

const at = z.iso.datetime();
const reason = z.string().max(400);
const scope = z
  .string()
  .max(100)
  .refine(
    (text) => text === '*' || pluginName.safeParse(text.endsWith('/*') ? `${text.slice(0, -1)}x` : text).success,
    'must be "*", "publisher/*" or the name of a plugin',
  );
export const storedKey = z.strictObject({
  keyid: z.string(),
  publicKey: z.string(),
  name: z
    .string()
    .regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?$/, 'must be up to 64 printable ASCII characters'),
  role: z.enum(keyRoles),
  scopes: z.array(scope).min(1).max(100),
  notAfter: at.optional(),
  addedAt: at,
  revoked: z.strictObject({ at, reason }).optional(),
});
export type StoredKey = z.infer<typeof storedKey>;

const storedRotation = z.strictObject({
  from: z.string(),
  to: z.string(),
  cutoverAt: at,
  /** As it was signed, to be given to others. */
  statement: z.string().max(16 * 1024),
});
export type StoredRotation = z.infer<typeof storedRotation>;

/** What one issuer has revoked so far, and where its lists stand. */
const storedRevocations = z.strictObject({
  /** The first key of the issuer's line: its lists go on when the key is rotated. */
  issuer: z.string(),
  /** The key that signed the last list: what it covers is that key's scopes. */
  signedBy: z.string(),
  version: z.int().min(1),
  sha256: z.string(),
  issuedAt: at,
  expires: at,
  importedAt: at,
  keys: z.array(z.strictObject({ keyid: z.string(), reason, at })).max(bundleLimits.revocations),
  bundles: z.array(z.strictObject({ sha256: z.string(), reason, at })).max(bundleLimits.revocations),
});
export type StoredRevocations = z.infer<typeof storedRevocations>;

const trustFile = z.strictObject({
  schema: z.literal('mmm.trust/1'),
  revision: z.int().min(0),
  keys: z.array(storedKey).max(1000),
  rotations: z.array(storedRotation).max(1000).default([]),
  revocations: z.array(storedRevocations).max(100).default([]),
});

/** Everything in `trust.json`. */
export interface TrustState {
  readonly revision: number;
  readonly keys: readonly StoredKey[];
  readonly rotations: readonly StoredRotation[];
  readonly revocations: readonly StoredRevocations[];
}

export const emptyTrust: TrustState = { revision: 0, keys: [], rotations: [], revocations: [] };

/** Throws PrivateFileProblem, or whatever a parser throws for a damaged file. */
export function parseTrust(bytes: Buffer): TrustState {
  const { schema: _, ...state } = trustFile.parse(JSON.parse(bytes.toString('utf8')));
  return state;
}

export function serialiseTrust(state: TrustState): string {
  return `${JSON.stringify({ schema: 'mmm.trust/1', ...state }, null, 2)}\n`;
}

/** The key as others see it. Throws PrivateFileProblem for one whose id or bytes are wrong. */
export function trustedForm(stored: StoredKey, rotations: readonly StoredRotation[]): TrustedKey {
  const raw = decodeBase64(stored.publicKey, 32);
  if (raw === undefined || checkPublicKey(raw) !== undefined || keyidOf(raw) !== stored.keyid) {
    throw new PrivateFileProblem(`holds a key that is not one: ${stored.name}`);
  }
  const handedOver = rotations.find(({ from }) => from === stored.keyid);
  const successor = handedOver && { keyid: handedOver.to, cutoverAt: handedOver.cutoverAt };
  return { ...stored, ...describePublicKey(raw), ...(successor === undefined ? {} : { successor }) };
}
