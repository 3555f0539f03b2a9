import { createPublicKey, verify as verifyWithNode } from 'node:crypto';

type Nacl = typeof import('tweetnacl');

/** The order of the base point: a scalar at or above it is a second spelling of a smaller one. */
const groupOrder = (1n << 252n) + 27742317777372353535851937790883648493n;
/** The field's prime: a coordinate at or above it is a second spelling of a smaller one. */
const fieldPrime = (1n << 255n) - 19n;
/** The last bit of an encoded point is the sign of x. */
const withoutSign = (1n << 255n) - 1n;
/** One of the two y of the points of order eight; the other is its negative. */
const orderEight = 0x05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826n;
/** The y of all eight points of small order. A key among them makes one signature valid for every message. */
const smallOrder: ReadonlySet<bigint> = new Set([0n, 1n, fieldPrime - 1n, orderEight, fieldPrime - orderEight]);
/** What precedes the 32 bytes of an ed25519 public key in a SubjectPublicKeyInfo. */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

/** Loaded at the first use: tweetnacl costs some 20 ms, which a launch with a remembered verification need not pay. */
export async function loadTweetnacl(): Promise<Nacl> {
  return (await import('tweetnacl')).default;
}

/** Says what is wrong with a raw ed25519 public key: length, encoding or order. `undefined`: it is usable. */
export function checkPublicKey(bytes: unknown): string | undefined {
  if (!(bytes instanceof Uint8Array)) return 'is not bytes';
  if (bytes.length !== 32) return `has ${bytes.length} bytes instead of 32`;
  const problem = checkPoint(bytes);
  return problem === undefined ? undefined : `is ${problem}`;
}

/**
 * Whether `signature` is the one right spelling of an ed25519 signature by `publicKey` over `message`. The rules that
 * tweetnacl leaves out come first; then tweetnacl and node:crypto must both agree. Never rejects: whatever is
 * malformed, or not bytes at all, is `false`.
 */
export async function verifyStrict(message: unknown, signature: unknown, publicKey: unknown): Promise<boolean> {
  try {
    if (!(message instanceof Uint8Array) || !(publicKey instanceof Uint8Array)) return false;
    if (!(signature instanceof Uint8Array) || signature.length !== 64) return false;
    if (checkPublicKey(publicKey) !== undefined) return false;
    if (checkPoint(signature.subarray(0, 32)) !== undefined) return false;
    if (littleEndian(signature.subarray(32)) >= groupOrder) return false;
    // The quick one first: a signature that node:crypto refuses is refused whatever tweetnacl says.
    if (!acceptedByNode(message, signature, publicKey)) return false;
    const nacl = await loadTweetnacl();
    // tweetnacl takes plain Uint8Arrays only and throws on the rest.
    return nacl.sign.detached.verify(Uint8Array.from(message), Uint8Array.from(signature), Uint8Array.from(publicKey));
  } catch {
    return false;
  }
}

function acceptedByNode(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  const key = createPublicKey({ key: Buffer.concat([spkiPrefix, publicKey]), format: 'der', type: 'spki' });
  return verifyWithNode(null, message, key, signature);
}

function checkPoint(encoded: Uint8Array): string | undefined {
  const y = littleEndian(encoded) & withoutSign;
  if (y >= fieldPrime) return 'not canonically encoded';
  if (smallOrder.has(y)) return 'a point of small order';
  return undefined;
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}
