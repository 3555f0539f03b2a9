import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { MmmError } from '@mmm/protocol';
import { encodeBase64 } from './encoding.ts';
import { bundleLimits } from './limits.ts';
import { printablePath } from './path-rules.ts';
import { checkPublicKey, verifyStrict } from './strict-ed25519.ts';

/**
 * How the file was put into the signature: as it is (`Ed`, the older way), or as its BLAKE2b-512 (`ED`, what minisign
 * has written since 0.10).
 */
export type MinisignAlgorithm = 'Ed' | 'ED';

/** A `.minisig` file. Nothing of it is believed before `verifyMinisign`. */
export interface MinisignSignature {
  readonly algorithm: MinisignAlgorithm;
  /** The eight random bytes that minisign calls the key's id, in hex. It selects a key and proves nothing. */
  readonly keyid: string;
  readonly signature: Uint8Array;
  /** The signature covers it; printable only after `safeText`. */
  readonly trustedComment: string;
  readonly commentSignature: Uint8Array;
}

/** A minisign public key. */
export interface MinisignKey {
  readonly keyid: string;
  /** The 32 raw bytes. */
  readonly publicKey: Uint8Array;
}

const trustedPrefix = 'trusted comment: ';
const untrustedPrefix = 'untrusted comment: ';

/** Reads a `.minisig` file's text. Returns a clause that says what is wrong instead of throwing. */
export function parseMinisign(text: string): MinisignSignature | { readonly problem: string } {
  const lines = text.split(/\r?\n/);
  if (lines.at(-1) === '') lines.pop();
  const [first = '', second = '', third = '', fourth = ''] = lines;
  if (lines.length !== 4 || !first.startsWith(untrustedPrefix) || !third.startsWith(trustedPrefix)) {
    return { problem: 'it does not have the four lines of a minisign signature' };
  }
  const packed = decode(second, 74);
  const commentSignature = decode(fourth, 64);
  if (packed === undefined || commentSignature === undefined) {
    return { problem: 'its second or fourth line is not a signature in base64' };
  }
  const algorithm = Buffer.from(packed.subarray(0, 2)).toString('latin1');
  if (algorithm !== 'Ed' && algorithm !== 'ED') return { problem: 'it is of another algorithm than Ed and ED' };
  return {
    algorithm,
    keyid: Buffer.from(packed.subarray(2, 10)).toString('hex'),
    signature: packed.subarray(10),
    trustedComment: third.slice(trustedPrefix.length),
    commentSignature,
  };
}

/** Reads a minisign public key: its base64 line, or the whole `.pub` file. Throws KEY_INVALID. */
export function parseMinisignKey(text: string): MinisignKey {
  const lines = text.trim().split(/\r?\n/);
  const line = lines.length === 2 && lines[0]?.startsWith(untrustedPrefix) === true ? lines[1] : lines[0];
  const packed = lines.length > 2 ? undefined : decode(line ?? '', 42);
  const isEd25519 = packed !== undefined && Buffer.from(packed.subarray(0, 2)).toString('latin1') === 'Ed';
  const problem = isEd25519 ? checkPublicKey(packed.subarray(10)) : 'is not 42 bytes in base64 that begin with "Ed"';
  if (packed === undefined || problem !== undefined) {
    const key = text.slice(0, 64);
    throw new MmmError(
      'KEY_INVALID',
      `The minisign public key ${JSON.stringify(key)} cannot be used: it ${problem ?? 'is malformed'}. ` +
        'It is the second line of the file that `minisign -G` calls minisign.pub.',
      { key, reason: problem ?? 'is malformed' },
    );
  }
  return { keyid: Buffer.from(packed.subarray(2, 10)).toString('hex'), publicKey: packed.subarray(10) };
}

/**
 * The bytes of a file that a minisign signature of this kind is over. Throws BUNDLE_INVALID for a file too large for
 * the older kind, which needs all of it in memory at once.
 */
export async function minisignMessage(file: string, algorithm: MinisignAlgorithm): Promise<Uint8Array> {
  return algorithm === 'ED' ? await blake2b(file) : await readWhole(file);
}

/** Whether a key made a minisign signature over a message and over its trusted comment, both by `verifyStrict`. */
export async function verifyMinisign(
  message: Uint8Array,
  { signature, trustedComment, commentSignature }: Omit<MinisignSignature, 'algorithm'>,
  publicKey: Uint8Array,
): Promise<boolean> {
  if (!(await verifyStrict(message, signature, publicKey))) return false;
  const comment = Buffer.concat([signature, Buffer.from(trustedComment, 'utf8')]);
  return await verifyStrict(comment, commentSignature, publicKey);
}

async function blake2b(file: string): Promise<Uint8Array> {
  const hash = createHash('blake2b512');
  for await (const piece of createReadStream(file)) hash.update(piece as Buffer);
  return hash.digest();
}

async function readWhole(file: string): Promise<Uint8Array> {
  const { size } = await stat(file);
  if (size > bundleLimits.minisignBytes) {
    const reason = `has more than ${bundleLimits.minisignBytes} bytes, and its signature is of the older kind`;
    const message = `${printablePath(file)} ${reason}. Ask for one made with minisign 0.10 or later, or with its -H.`;
    throw new MmmError('BUNDLE_INVALID', message, { directory: file, file: '.', reason });
  }
  return await readFile(file);
}

/** Only the one right spelling. */
function decode(text: string, length: number): Uint8Array | undefined {
  const bytes = new Uint8Array(Buffer.from(text, 'base64'));
  return bytes.length === length && encodeBase64(bytes) === text ? bytes : undefined;
}
