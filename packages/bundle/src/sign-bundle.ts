import { lstat, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MmmError } from '@mmm/protocol';
import { indexPath, signaturesPath } from './bundle-errors.ts';
import { readBundleFile } from './bundle-file.ts';
import { payloadTypes, preAuthenticationEncoding } from './encoding.ts';
import type { BundleIdentity } from './index-folder.ts';
import { indexFolder } from './index-folder.ts';
import type { SigningKey } from './key-ring.ts';
import { bundleLimits } from './limits.ts';
import { parsePublicKey } from './public-key.ts';
import { parseSignatures, serialiseSignatures } from './signature-file.ts';
import { verifyStrict } from './strict-ed25519.ts';

export interface SignedBundle {
  readonly indexSha256: string;
  readonly keyid: string;
  /** How many files the index lists. */
  readonly files: number;
  /** What is in the folder and no part of the bundle, as of `indexFolder`. */
  readonly leftOut: readonly string[];
}

/**
 * Writes the index of a folder and a signature over it into its `.mmm`. Signatures of other keys stay if they are
 * over the same index, so that several people can sign one after another. The signature is verified before it is
 * written. Throws BUNDLE_INVALID for a folder that cannot be a bundle.
 */
export async function signBundle(directory: string, identity: BundleIdentity, key: SigningKey): Promise<SignedBundle> {
  await removeLeftovers(directory);
  const { bytes, sha256, index, leftOut } = await indexFolder(directory, identity);
  const signatures = await addSignature(bytes, await signaturesOver(directory, bytes), key);
  const { default: writeFileAtomic } = await import('write-file-atomic');
  await mkdir(join(directory, '.mmm'), { recursive: true });
  await writeFileAtomic(join(directory, indexPath), bytes, { mode: 0o644 });
  await writeFileAtomic(join(directory, signaturesPath), signatures, { mode: 0o644 });
  return { indexSha256: sha256, keyid: key.keyid, files: index.files.length, leftOut };
}

/**
 * The signature file with one more signature over an index. Those of other keys in `before` stay; the oldest make room
 * when there are too many. Throws KEY_INVALID for a key that makes wrong signatures.
 */
export async function addSignature(
  indexBytes: Uint8Array,
  before: Uint8Array | undefined,
  key: SigningKey,
): Promise<Uint8Array> {
  const encoded = preAuthenticationEncoding(payloadTypes.bundle, indexBytes);
  const signature = key.sign(encoded);
  // A fault while signing could give the secret away, and would be found by the users otherwise.
  if (!(await verifyStrict(encoded, signature, parsePublicKey(key.publicKey)))) {
    throw new MmmError(
      'KEY_INVALID',
      `The key ${key.name} made a signature that does not verify. Make a new one with \`mmm key new\`.`,
      { key: key.name, reason: 'it made a signature that does not verify' },
    );
  }
  const parsed = before === undefined ? [] : parseSignatures(before);
  const others = 'problem' in parsed ? [] : parsed.filter(({ keyid }) => keyid !== key.keyid);
  const kept = others.slice(1 - bundleLimits.signatures);
  return Buffer.from(serialiseSignatures([...kept, { keyid: key.keyid, bytes: signature }]));
}

/**
 * The signature file of a folder, if it is over this index; `undefined` for none, and for one that is not a signature
 * file. The walk that made the index has refused links in `.mmm`.
 */
export async function signaturesOver(directory: string, indexBytes: Uint8Array): Promise<Uint8Array | undefined> {
  try {
    if (!(await readBundleFile(directory, indexPath, bundleLimits.indexBytes)).equals(indexBytes)) return undefined;
    const signatures = await readBundleFile(directory, signaturesPath, bundleLimits.signaturesBytes);
    return 'problem' in parseSignatures(signatures) ? undefined : signatures;
  } catch {
    return undefined;
  }
}

/** A signing that was killed leaves a numbered half file, which no bundle may hold. */
async function removeLeftovers(directory: string): Promise<void> {
  const metadata = join(directory, '.mmm');
  const stats = await lstat(metadata).catch(() => undefined);
  const entries = stats?.isDirectory() === true ? await readdir(metadata, { withFileTypes: true }) : [];
  for (const entry of entries) {
    // A folder of that name is not what a signing leaves: the walk then refuses it.
    const isLeftover = !entry.isDirectory() && /^(?:index|signatures)\.json\.\d+$/.test(entry.name);
    if (isLeftover) await rm(join(metadata, entry.name), { force: true });
  }
}
