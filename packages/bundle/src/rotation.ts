import * as z from 'zod';
import { decodeBase64, payloadTypes } from './encoding.ts';
import type { SigningKey } from './key-ring.ts';
import type { PublicKeyInfo } from './public-key.ts';
import { describePublicKey } from './public-key.ts';
import {
  isSignedBy,
  parseStatement,
  readPayload,
  signStatement,
  statementInvalid,
  statementUntrusted,
} from './statement.ts';
import { checkPublicKey } from './strict-ed25519.ts';

const rotationContent = z.strictObject({
  schema: z.literal('mmm.rotation/1'),
  /** Public keys, 32 raw bytes in base64. */
  from: z.string(),
  to: z.string(),
  issuedAt: z.iso.datetime(),
  cutoverAt: z.iso.datetime(),
});

/** One key hands over to another. Both signed it: the old one gives, the new one proves that it is somebody's. */
export interface Rotation {
  readonly from: PublicKeyInfo;
  readonly to: PublicKeyInfo;
  /** ISO 8601, UTC. */
  readonly issuedAt: string;
  /** From then on the old key signs nothing new. ISO 8601, UTC. */
  readonly cutoverAt: string;
  /** The signed text, to be passed on. */
  readonly statement: string;
}

/** Makes the statement that `from` hands over to `to`. Changes nothing by itself. */
export async function signRotation(
  from: SigningKey,
  to: SigningKey,
  times: { readonly issuedAt: Date; readonly cutoverAt: Date },
): Promise<Rotation> {
  const [issuedAt, cutoverAt] = [times.issuedAt.toISOString(), times.cutoverAt.toISOString()];
  const content = { schema: 'mmm.rotation/1', from: from.publicKey, to: to.publicKey, issuedAt, cutoverAt };
  const statement = await signStatement(payloadTypes.rotation, content, [from, to]);
  return await readRotation(statement, 'the rotation');
}

/**
 * Reads a rotation whose two signatures hold. Whether the old key is one to listen to, `TrustStore.rotate` decides.
 * Throws STATEMENT_INVALID and STATEMENT_UNTRUSTED.
 */
export async function readRotation(text: string, file: string): Promise<Rotation> {
  const statement = parseStatement(text, payloadTypes.rotation, file);
  // Read before it is verified, because the keys are in it: what is taken from it is only which keys must have signed.
  const content = readPayload(statement, rotationContent, file);
  const [from, to] = [keyOf(content.from, file), keyOf(content.to, file)];
  if (from.info.keyid === to.info.keyid) throw statementInvalid(file, 'both keys in it are the same');
  for (const [key, which] of [[from, 'old'] as const, [to, 'new'] as const]) {
    if (!(await isSignedBy(statement, key.info.keyid, key.bytes))) {
      throw statementUntrusted(file, `the ${which} key ${key.info.keyid} did not sign it, or over other bytes`);
    }
  }
  const { issuedAt, cutoverAt } = content;
  return { from: from.info, to: to.info, issuedAt, cutoverAt, statement: text };
}

function keyOf(base64: string, file: string): { readonly bytes: Uint8Array; readonly info: PublicKeyInfo } {
  const bytes = decodeBase64(base64, 32);
  const problem = bytes === undefined ? 'is not 32 bytes in base64' : checkPublicKey(bytes);
  if (bytes === undefined || problem !== undefined) throw statementInvalid(file, `a public key in it ${problem}`);
  return { bytes, info: describePublicKey(bytes) };
}
