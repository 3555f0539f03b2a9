import { createHash } from 'node:crypto';

/**
 * What each kind of signed document is called inside its signature. A signature over one kind can never be taken for
 * a signature over another, even if the bytes are the same.
 */
export const payloadTypes = {
  bundle: 'application/vnd.mmm.bundle+json;v=1',
  rotation: 'application/vnd.mmm.rotation+json;v=1',
  revocations: 'application/vnd.mmm.revocations+json;v=1',
  snapshot: 'application/vnd.mmm.snapshot+json;v=1',
} as const;
export type PayloadType = (typeof payloadTypes)[keyof typeof payloadTypes];

/** The bytes that are signed: DSSE version 1. Both lengths are counted in bytes, so no two inputs encode alike. */
export function preAuthenticationEncoding(type: string, bytes: Uint8Array): Uint8Array {
  const typeBytes = Buffer.from(type, 'utf8');
  return Buffer.concat([
    Buffer.from(`DSSEv1 ${typeBytes.length} `, 'latin1'),
    typeBytes,
    Buffer.from(` ${bytes.length} `, 'latin1'),
    bytes,
  ]);
}

export function sha256Hex(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

/** Decodes standard base64 of exactly `length` bytes. `undefined` for any other spelling, so that one value has one. */
export function decodeBase64(text: string, length: number): Uint8Array | undefined {
  if (text.length !== Math.ceil(length / 3) * 4) return undefined;
  const bytes = Buffer.from(text, 'base64');
  if (bytes.length !== length || bytes.toString('base64') !== text) return undefined;
  return new Uint8Array(bytes);
}

export function encodeBase64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64');
}
