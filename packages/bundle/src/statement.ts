import { MmmError } from '@mmm/protocol';
import * as z from 'zod';
import type { PayloadType } from './encoding.ts';
import { decodeBase64, preAuthenticationEncoding } from './encoding.ts';
import type { SigningKey } from './key-ring.ts';
import { bundleLimits } from './limits.ts';
import { parsePublicKey } from './public-key.ts';
import { type BundleSignature, signatureEntries } from './signature-file.ts';
import { verifyStrict } from './strict-ed25519.ts';

/** A signed document that travels by itself: the JSON envelope of DSSE, with the signed bytes inside. */
const envelope = z.strictObject({
  payloadType: z.string().max(200),
  payload: z.string().max(bundleLimits.statementBytes),
  signatures: signatureEntries,
});

export interface Statement {
  readonly type: PayloadType;
  /** The very bytes that were signed. Nothing of them is read before a signature over them holds. */
  readonly payload: Uint8Array;
  readonly signatures: readonly BundleSignature[];
}

/** Signs `content` as JSON. The text ends with a newline. Throws KEY_INVALID for a key that signs wrongly. */
export async function signStatement(type: PayloadType, content: unknown, keys: readonly SigningKey[]): Promise<string> {
  const payload = Buffer.from(`${JSON.stringify(content)}\n`, 'utf8');
  const encoded = preAuthenticationEncoding(type, payload);
  const signatures: { keyid: string; sig: string }[] = [];
  for (const key of keys) {
    const signature = key.sign(encoded);
    // A fault while signing could give the secret away, and would be found by others otherwise.
    if (!(await verifyStrict(encoded, signature, parsePublicKey(key.publicKey)))) {
      const reason = 'it made a signature that does not verify';
      throw new MmmError('KEY_INVALID', `The key ${key.name} cannot be used: ${reason}.`, { key: key.name, reason });
    }
    signatures.push({ keyid: key.keyid, sig: Buffer.from(signature).toString('base64') });
  }
  return `${JSON.stringify({ payloadType: type, payload: payload.toString('base64'), signatures }, null, 2)}\n`;
}

/** Reads the envelope, not what is inside. `file` is only for the error. Throws STATEMENT_INVALID. */
export function parseStatement(text: string, type: PayloadType, file: string): Statement {
  if (text.length > bundleLimits.statementBytes) {
    throw statementInvalid(file, `it has more than ${bundleLimits.statementBytes} characters`);
  }
  const { payloadType, payload, signatures } = checkedJson(text, envelope, file);
  if (payloadType !== type) throw statementInvalid(file, `it is "${payloadType.slice(0, 80)}" and not "${type}"`);
  const bytes = Buffer.from(payload, 'base64');
  if (bytes.toString('base64') !== payload) throw statementInvalid(file, 'its payload is not base64');
  const decoded = signatures.map(({ keyid, sig }): BundleSignature => {
    const signature = decodeBase64(sig, 64);
    if (signature === undefined) throw statementInvalid(file, `the signature of ${keyid} is not 64 bytes in base64`);
    return { keyid, bytes: signature };
  });
  if (new Set(decoded.map(({ keyid }) => keyid)).size < decoded.length) {
    throw statementInvalid(file, 'a key signs twice');
  }
  return { type, payload: new Uint8Array(bytes), signatures: decoded };
}

/** Whether the statement has a signature of this key, and it holds. */
export async function isSignedBy(statement: Statement, keyid: string, publicKey: Uint8Array): Promise<boolean> {
  const signature = statement.signatures.find((one) => one.keyid === keyid);
  if (signature === undefined) return false;
  return await verifyStrict(preAuthenticationEncoding(statement.type, statement.payload), signature.bytes, publicKey);
}

/** The content of a payload whose signature holds, or one that proves itself by what it says. */
export function readPayload<T>(statement: Statement, schema: z.ZodType<T>, file: string): T {
  return checkedJson(decodeUtf8(statement.payload, file), schema, file);
}

export function statementInvalid(file: string, reason: string): MmmError<'STATEMENT_INVALID'> {
  const message = `${file} cannot be used: ${reason}. Get it again from whoever issued it.`;
  return new MmmError('STATEMENT_INVALID', message, { file, reason });
}

export function statementUntrusted(file: string, reason: string): MmmError<'STATEMENT_UNTRUSTED'> {
  return new MmmError('STATEMENT_UNTRUSTED', `${file} is not accepted: ${reason}.`, { file, reason });
}

function checkedJson<T>(text: string, schema: z.ZodType<T>, file: string): T {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw statementInvalid(file, 'it is not JSON');
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw statementInvalid(file, `it does not fit its schema at ${issue?.path.join('.') || 'the top'}`);
}

function decodeUtf8(bytes: Uint8Array, file: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw statementInvalid(file, 'its content is not UTF-8');
  }
}
