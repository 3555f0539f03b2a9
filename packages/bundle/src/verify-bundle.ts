import { closeSync, fstatSync } from 'node:fs';
import { basename } from 'node:path';
import { MmmError } from '@mmm/protocol';
import { changedBundle, indexPath, invalidBundle, signaturesPath } from './bundle-errors.ts';
import { checkFiles } from './check-files.ts';
import { decodeBase64, payloadTypes, preAuthenticationEncoding, sha256Hex } from './encoding.ts';
import type { Folder } from './folder.ts';
import { isPlainFile, readPieces } from './folder.ts';
import type { BundleIndex } from './index-file.ts';
import { parseIndex } from './index-file.ts';
import { bundleLimits } from './limits.ts';
import type { BundleSignature } from './signature-file.ts';
import { parseSignatures } from './signature-file.ts';
import { SignatureMemo } from './signature-memo.ts';
import { assertNotRevoked, chooseKey } from './signing-key.ts';
import { verifyStrict } from './strict-ed25519.ts';
import type { TrustedKey } from './trust-file.ts';
import type { TrustStore } from './trust-store.ts';
import { errorCode, openRoot } from './walk-folder.ts';

export interface VerifyOptions {
  /** The plugin that was asked for. The index must have this name, and a key must be trusted for it. */
  readonly name: string;
  readonly version?: string | undefined;
  readonly manifest?: 'plugin.toml' | 'plugin.yaml' | undefined;
  readonly trust: TrustStore;
  /** When keys must not have expired. */
  readonly now: Date;
  /** Where good signatures are remembered. By default in this process only. */
  readonly memo?: SignatureMemo | undefined;
  /** Whether keys of the role `dev` count: only for a folder the user develops in. Default false. */
  readonly developmentKeys?: boolean | undefined;
  /** Whether a key that handed over to another one still counts: for what is installed already. Default false. */
  readonly retiredKeys?: boolean | undefined;
  /** Whether every root key that covers the plugin must have a list that has not expired. Default false. */
  readonly currentRevocations?: boolean | undefined;
  /** Whose plugin it has been, as `TrustStore.publisherOf` says: their key is taken if it is among several. */
  readonly publisher?: string | null | undefined;
}

export interface VerifiedBundle {
  readonly index: BundleIndex;
  /** The very bytes that were signed. */
  readonly indexBytes: Uint8Array;
  /** Of `indexBytes`: the identity of the bundle. */
  readonly indexSha256: string;
  /** The bytes of the signature file. */
  readonly signatures: Uint8Array;
  /** The first of the signing keys that is trusted for the plugin. */
  readonly signedBy: TrustedKey;
}

/** What was already computed in this process; it is about bytes, so it holds for every trust store. */
const processMemo = new SignatureMemo();

/**
 * Checks a plugin folder against the trust store: signature, then index, then every file. Nothing is parsed before
 * its signature holds, except the signature file itself. What is verified is what was read: a caller that goes on to
 * use the folder must copy it with `ContentStore.put`, which checks again while copying.
 *
 * Throws SIGNATURE_MISSING, SIGNATURE_UNTRUSTED, SIGNATURE_REJECTED, KEY_REVOKED, KEY_RETIRED, KEY_EXPIRED,
 * KEY_OUT_OF_SCOPE, KEY_ROLE_WRONG, BUNDLE_REVOKED, REVOCATIONS_EXPIRED, BUNDLE_INVALID, BUNDLE_CHANGED.
 */
export async function verifyBundle(directory: string, options: VerifyOptions): Promise<VerifiedBundle> {
  const verified = await verifySignedIndex(directory, options);
  await checkFiles(directory, verified.index);
  return verified;
}

/**
 * The part of `verifyBundle` before the files: enough where something else vouches for those, as `ContentStore.check`
 * does at each launch. Throws the same.
 */
export async function verifySignedIndex(directory: string, options: VerifyOptions): Promise<VerifiedBundle> {
  const { indexBytes, signatures } = await readMetadata(directory, options.name);
  return await verifyIndexBytes({ place: directory, indexBytes, signatures }, options);
}

/** An index with signatures over it, wherever they were read. */
export interface SignedIndex {
  /** The folder or the archive, for errors. */
  readonly place: string;
  readonly indexBytes: Uint8Array;
  /** The bytes of the signature file; `undefined` when there is none. */
  readonly signatures: Uint8Array | undefined;
}

/**
 * As `verifySignedIndex`, of bytes that were read already. Without a name in the options the plugin is the one that the
 * index is about, which is read once a signature of a known key over it holds.
 */
export async function verifyIndexBytes(
  { place, indexBytes, signatures }: SignedIndex,
  given: Omit<VerifyOptions, 'name'> & { readonly name?: string },
): Promise<VerifiedBundle> {
  const shown = given.name ?? basename(place);
  if (signatures === undefined) throw signatureMissing(shown, place);
  const indexSha256 = sha256Hex(indexBytes);
  const keyids = await verifySignatures(indexBytes, indexSha256, signatures, { ...given, name: shown });
  const isKnown = keyids.some((keyid) => given.trust.find(keyid) !== undefined);
  const name = given.name ?? (isKnown ? parseIndex(indexBytes, place).name : shown);
  const options = { ...given, name };
  const signedBy = chooseKey(keyids, options);
  assertNotRevoked(indexSha256, options);
  const index = parseIndex(indexBytes, place);
  for (const field of ['name', 'version', 'manifest'] as const) {
    const wanted = options[field];
    if (wanted !== undefined && index[field] !== wanted) {
      throw invalidBundle(place, indexPath, `is about the ${field} ${index[field]}, not ${wanted}`);
    }
  }
  return { index, indexBytes, indexSha256, signatures, signedBy };
}

async function readMetadata(
  directory: string,
  plugin: string,
): Promise<{ indexBytes: Uint8Array; signatures: Uint8Array }> {
  const root = openRoot(directory);
  let metadata: Folder | undefined;
  try {
    metadata = openMetadata(root, directory);
    const signatures =
      metadata && (await readSmallFile(metadata, directory, signaturesPath, bundleLimits.signaturesBytes));
    if (metadata === undefined || signatures === undefined) throw signatureMissing(plugin, directory);
    const indexBytes = await readSmallFile(metadata, directory, indexPath, bundleLimits.indexBytes);
    if (indexBytes === undefined)
      throw invalidBundle(directory, indexPath, 'is missing although there are signatures over it');
    return { indexBytes, signatures };
  } finally {
    metadata?.close();
    root.close();
  }
}

function openMetadata(root: Folder, directory: string): Folder | undefined {
  try {
    return root.folder('.mmm');
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return undefined;
    throw changedBundle(directory, '.mmm', 'not_a_file');
  }
}

async function readSmallFile(
  folder: Folder,
  directory: string,
  path: string,
  bytesMax: number,
): Promise<Uint8Array | undefined> {
  const name = path.slice('.mmm/'.length);
  let descriptor: number | undefined;
  try {
    // Looked at before it is opened, because opening a device may do something.
    if (!isPlainFile(folder.stat(name))) throw changedBundle(directory, path, 'not_a_file');
    descriptor = folder.file(name);
    const stats = fstatSync(descriptor, { bigint: true });
    if (!isPlainFile(stats)) throw changedBundle(directory, path, 'not_a_file');
    if (stats.size > bytesMax) throw invalidBundle(directory, path, `has more than ${bytesMax} bytes`);
    const pieces: Uint8Array[] = [];
    const whole = await readPieces(descriptor, Number(stats.size), (piece) => void pieces.push(Uint8Array.from(piece)));
    if (!whole) throw changedBundle(directory, path, 'changed');
    return Buffer.concat(pieces);
  } catch (error) {
    if (error instanceof MmmError) throw error;
    if (errorCode(error) === 'ENOENT') return undefined;
    throw invalidBundle(directory, path, `cannot be read (${errorCode(error)})`, error);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** The keys that signed, known or not; those that the trust store knows did. */
async function verifySignatures(
  indexBytes: Uint8Array,
  indexSha256: string,
  signatures: Uint8Array,
  options: VerifyOptions,
): Promise<readonly string[]> {
  const { name, trust } = options;
  trust.refresh();
  const memoKey = { indexSha256, signaturesSha256: sha256Hex(signatures), trustRevision: trust.revision };
  const memo = options.memo ?? processMemo;
  const remembered = memo.verifiedKeys(memoKey);
  if (remembered?.every((keyid) => trust.find(keyid) !== undefined)) return remembered;
  const parsed = parseSignatures(signatures);
  if ('problem' in parsed) throw signatureRejected(name, '', `the signature file cannot be used: ${parsed.problem}`);
  const known = parsed.filter(({ keyid }) => trust.find(keyid) !== undefined);
  await verifyEach(indexBytes, known, options);
  const keyids = known.map(({ keyid }) => keyid);
  if (keyids.length > 0) await memo.remember(memoKey, keyids);
  return keyids.length > 0 ? keyids : parsed.map(({ keyid }) => keyid);
}

/** One bad signature of a known key spoils the others: somebody wrote into the file. */
async function verifyEach(
  indexBytes: Uint8Array,
  known: readonly BundleSignature[],
  options: VerifyOptions,
): Promise<void> {
  const encoded = preAuthenticationEncoding(payloadTypes.bundle, indexBytes);
  for (const { keyid, bytes } of known) {
    const raw = decodeBase64(options.trust.find(keyid)?.publicKey ?? '', 32);
    if (!(await verifyStrict(encoded, bytes, raw))) {
      throw signatureRejected(options.name, keyid, 'it is malformed or was made over other bytes');
    }
  }
}

function signatureMissing(plugin: string, directory: string): MmmError<'SIGNATURE_MISSING'> {
  return new MmmError(
    'SIGNATURE_MISSING',
    `Plugin "${plugin}" in ${directory} is not signed: it has no ${signaturesPath}. ` +
      `If it is yours, run \`mmm plugin sign\`.`,
    { plugin, directory },
  );
}

function signatureRejected(plugin: string, keyid: string, reason: string): MmmError<'SIGNATURE_REJECTED'> {
  const whose = keyid === '' ? '' : ` by the key ${keyid}`;
  return new MmmError(
    'SIGNATURE_REJECTED',
    `The signature${whose} of plugin "${plugin}" does not hold: ${reason}. ` +
      `Do not run it; get it again from its publisher.`,
    { plugin, keyid, reason },
  );
}
