import { MmmError } from '@mmm/protocol';
import * as z from 'zod';
import { decodeBase64, payloadTypes, sha256Hex } from './encoding.ts';
import type { SigningKey } from './key-ring.ts';
import { bundleLimits } from './limits.ts';
import { isSignedBy, parseStatement, readPayload, signStatement, statementUntrusted } from './statement.ts';
import type { TrustedKey } from './trust-file.ts';
import type { TrustStore } from './trust-store.ts';

const reason = z.string().max(400);
const revokedKey = z.strictObject({
  keyid: z.string().regex(/^[0-9a-f]{32}$/, 'must be 32 lower-case hex digits'),
  reason,
});
const revokedBundle = z.strictObject({
  sha256: z.string().regex(/^[0-9a-f]{64}$/, 'must be 64 lower-case hex digits'),
  reason,
});
const revocationsContent = z
  .strictObject({
    schema: z.literal('mmm.revocations/1'),
    version: z.int().min(1),
    issuedAt: z.iso.datetime(),
    expires: z.iso.datetime(),
    keys: z.array(revokedKey),
    bundles: z.array(revokedBundle),
  })
  .refine(({ keys, bundles }) => keys.length + bundles.length <= bundleLimits.revocations, 'has too many entries');

/** What an issuer says is not to run any more. */
export interface RevocationContent {
  /** 1, 2, 3 …: of two lists of one issuer the higher one counts. */
  readonly version: number;
  /** ISO 8601, UTC. */
  readonly issuedAt: string;
  /** When a newer list should be there at the latest. ISO 8601, UTC. */
  readonly expires: string;
  readonly keys: readonly { readonly keyid: string; readonly reason: string }[];
  /** Bundles by the sha256 of their index. */
  readonly bundles: readonly { readonly sha256: string; readonly reason: string }[];
}

/** A list whose signature by a trusted root key holds. */
export interface RevocationList extends RevocationContent {
  readonly signedBy: TrustedKey;
  /** Of the signed bytes: two lists of one version must be the same list. */
  readonly sha256: string;
}

/** The signed text of a list, for others to import. Throws STATEMENT_INVALID for one with too many entries. */
export async function signRevocations(content: RevocationContent, key: SigningKey): Promise<string> {
  const { version, issuedAt, expires, keys, bundles } = content;
  const ordered = { schema: 'mmm.revocations/1', version, issuedAt, expires, keys, bundles };
  const checked = revocationsContent.safeParse(ordered);
  if (!checked.success) {
    const [issue] = checked.error.issues;
    const why = `${issue?.path.join('.') || 'it'} ${issue?.message ?? 'is not valid'}`;
    throw new MmmError('STATEMENT_INVALID', `The revocation list cannot be made: ${why}.`, { file: '', reason: why });
  }
  return await signStatement(payloadTypes.revocations, checked.data, [key]);
}

/**
 * Reads a list that a key of the role root signed, which is neither revoked nor expired. Nothing of its content is read
 * before its signature holds. Throws STATEMENT_INVALID, STATEMENT_UNTRUSTED, KEY_ROLE_WRONG, KEY_REVOKED, KEY_EXPIRED.
 */
export async function readRevocations(
  text: string,
  file: string,
  { trust, now }: { readonly trust: TrustStore; readonly now: Date },
): Promise<RevocationList> {
  const statement = parseStatement(text, payloadTypes.revocations, file);
  trust.refresh();
  const signers = statement.signatures.flatMap(({ keyid }) => trust.find(keyid) ?? []);
  if (signers.length === 0) {
    const keyids = statement.signatures.map(({ keyid }) => keyid).join(', ');
    throw statementUntrusted(file, `none of the keys that signed it is in your trust store (${keyids})`);
  }
  for (const key of signers) {
    // One bad signature of a known key spoils the others: somebody wrote into the file.
    const raw = decodeBase64(key.publicKey, 32);
    if (raw === undefined || !(await isSignedBy(statement, key.keyid, raw))) {
      throw statementUntrusted(file, `the signature of ${key.name} (${key.keyid}) was made over other bytes`);
    }
  }
  const signedBy = signers.find((key) => problemOf(key, trust, now) === undefined);
  if (signedBy === undefined) throw (signers[0] && problemOf(signers[0], trust, now)) ?? statementUntrusted(file, '');
  const { schema: _, ...content } = readPayload(statement, revocationsContent, file);
  return { ...content, signedBy, sha256: sha256Hex(statement.payload) };
}

/** Why this key may not issue a list. */
function problemOf(key: TrustedKey, trust: TrustStore, now: Date): MmmError | undefined {
  const { keyid, name, role, notAfter } = key;
  const who = `The revocation list is signed by ${name} (${keyid})`;
  const data = { keyid, plugin: '' };
  const revoked = trust.revocationOf(keyid);
  if (revoked !== undefined) {
    return new MmmError('KEY_REVOKED', `${who}, a key that was revoked at ${revoked.at}: ${revoked.reason}.`, data);
  }
  if (role !== 'root') {
    const message = `${who}, which you trust as ${role}. Only a key that is trusted as root may revoke.`;
    return new MmmError('KEY_ROLE_WRONG', message, { ...data, role });
  }
  if (notAfter !== undefined && now.getTime() > Date.parse(notAfter)) {
    return new MmmError('KEY_EXPIRED', `${who}, a key that expired at ${notAfter}.`, { ...data, notAfter });
  }
  const { successor } = key;
  if (successor !== undefined && now.getTime() >= Date.parse(successor.cutoverAt)) {
    const message = `${who}, a key that handed over to ${successor.keyid}. Get the list that the new key signed.`;
    return new MmmError('KEY_RETIRED', message, {
      ...data,
      successor: successor.keyid,
      cutoverAt: successor.cutoverAt,
    });
  }
  return undefined;
}
