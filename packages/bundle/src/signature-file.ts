import * as z from 'zod';
import { decodeBase64, payloadTypes } from './encoding.ts';
import { bundleLimits } from './limits.ts';

/** Who signed, and what: as it stands beside a bundle, and in the envelope of a statement. */
export const signatureEntries = z
  .array(
    z.strictObject({
      keyid: z.string().regex(/^[0-9a-f]{32}$/, 'must be 32 lower-case hex digits'),
      sig: z.string(),
    }),
  )
  .min(1)
  .max(bundleLimits.signatures);

const signatureFile = z.strictObject({
  schema: z.literal('mmm.sig/1'),
  payloadType: z.literal(payloadTypes.bundle),
  signatures: signatureEntries,
});

export interface BundleSignature {
  readonly keyid: string;
  /** The 64 bytes of the signature. */
  readonly bytes: Uint8Array;
}

/** Reads `.mmm/signatures.json`. Returns a clause that says what is wrong instead of throwing. */
export function parseSignatures(bytes: Uint8Array): readonly BundleSignature[] | { readonly problem: string } {
  if (bytes.length > bundleLimits.signaturesBytes)
    return { problem: `it has more than ${bundleLimits.signaturesBytes} bytes` };
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes));
  } catch {
    return { problem: 'it is not JSON in UTF-8' };
  }
  const parsed = signatureFile.safeParse(value);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    return { problem: `it does not fit its schema at ${issue?.path.join('.') || 'the top'}` };
  }
  const signatures: BundleSignature[] = [];
  for (const { keyid, sig } of parsed.data.signatures) {
    const decoded = decodeBase64(sig, 64);
    if (decoded === undefined) return { problem: `the signature of ${keyid} is not 64 bytes in base64` };
    if (signatures.some((known) => known.keyid === keyid)) return { problem: `the key ${keyid} signs twice` };
    signatures.push({ keyid, bytes: decoded });
  }
  return signatures;
}

export function serialiseSignatures(signatures: readonly BundleSignature[]): string {
  const listed = signatures.map(({ keyid, bytes }) => ({ keyid, sig: Buffer.from(bytes).toString('base64') }));
  return `${JSON.stringify({ schema: 'mmm.sig/1', payloadType: payloadTypes.bundle, signatures: listed }, null, 2)}\n`;
}

/** The keys that a signature file names; none for one that cannot be read. Says nothing about whether they hold. */
export function signersOf(signatures: Uint8Array | undefined): readonly string[] {
  const parsed = signatures === undefined ? [] : parseSignatures(signatures);
  return 'problem' in parsed ? [] : parsed.map(({ keyid }) => keyid);
}

/** A signature file without those of other keys. */
export function onlySignatureOf(signatures: Uint8Array | undefined, keyid: string): Uint8Array | undefined {
  const parsed = signatures === undefined ? [] : parseSignatures(signatures);
  const found = 'problem' in parsed ? [] : parsed.filter((one) => one.keyid === keyid);
  return found.length === 0 ? undefined : Buffer.from(serialiseSignatures(found));
}
