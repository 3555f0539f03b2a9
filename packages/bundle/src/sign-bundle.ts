import { lstat, mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MmmError } from '@mmm/protocol';
import { indexPath, signaturesPath } from './bundle-errors.ts';
import { payloadTypes, preAuthenticationEncoding } from './encoding.ts';
import type { BundleIdentity } from './index-folder.ts';
import { indexFolder } from './index-folder.ts';
import type { SigningKey } from './key-ring.ts';
import { bundleLimits } from './limits.ts';
import { parsePublicKey } from './public-key.ts';
import type { BundleSignature } from './signature-file.ts';
import { parseSignatures, serialiseSignatures } from './signature-file.ts';
import { verifyStrict } from './strict-ed25519.ts';

export interface SignedBundle {
  readonly indexSha256: string;
  readonly keyid: string;
  /** How many files the index lists. */
  readonly files: number;
}

/**
 * Writes the index of a folder and a signature over it into its `.mmm`. Signatures of other keys stay if they are
 * over the same index, so that several people can sign one after another. The signature is verified before it is
 * written. Throws BUNDLE_INVALID for a folder that cannot be a bundle.
 */
export async function signBundle(directory: string, identity: BundleIdentity, key: SigningKey): Promise<SignedBundle> {
  await removeLeftovers(directory);
  const { bytes, sha256, index } = await indexFolder(directory, identity);
  const encoded = preAuthenticationEncoding(payloadTypes.bundle, bytes);
  const signature = key.sign(encoded);
  // A fault while signing could give the secret away, and would be found by the users otherwise.
  if (!(await verifyStrict(encoded, signature, parsePublicKey(key.publicKey)))) {
    throw new MmmError(
      'KEY_INVALID',
      `The key ${key.name} made a signature that does not verify. Make a new one with \`mmm key new\`.`,
      { key: key.name, reason: 'it made a signature that does not verify' },
    );
  }
  const others = (await signaturesOver(directory, bytes)).filter(({ keyid }) => keyid !== key.keyid);
  const kept = others.slice(0, bundleLimits.signatures - 1);
  const signatures = serialiseSignatures([...kept, { keyid: key.keyid, bytes: signature }]);
  const { default: writeFileAtomic } = await import('write-file-atomic');
  await mkdir(join(directory, '.mmm'), { recursive: true });
  await writeFileAtomic(join(directory, indexPath), bytes, { mode: 0o644 });
  await writeFileAtomic(join(directory, signaturesPath), signatures, { mode: 0o644 });
  return { indexSha256: sha256, keyid: key.keyid, files: index.files.length };
}

/** The signatures that are there already, if they are over this index. The walk has refused links in `.mmm`. */
async function signaturesOver(directory: string, indexBytes: Uint8Array): Promise<readonly BundleSignature[]> {
  try {
    if (!(await readFile(join(directory, indexPath))).equals(indexBytes)) return [];
    const parsed = parseSignatures(await readFile(join(directory, signaturesPath)));
    return 'problem' in parsed ? [] : parsed;
  } catch {
    return [];
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
