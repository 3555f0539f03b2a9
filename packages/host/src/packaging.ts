import { statSync } from 'node:fs';
import { basename, join } from 'node:path';
import {
  addSignature,
  type BundleToStore,
  type ContentStore,
  indexFolder,
  type PackedArchive,
  packArchive,
  type SigningKey,
  signaturesOver,
  signersOf,
} from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import { checkBundle } from './check-bundle.ts';
import { type PluginSpec, readSpec } from './discover/spec.ts';
import { safeText } from './display/safe-text.ts';
import { diskName } from './home.ts';
import { type SourceServices, withSource } from './plugin-source.ts';
import type { SignedPlugin } from './sign-plugin.ts';

export interface PackagedPlugin {
  readonly id: string;
  readonly version: string;
  /** Absolute path of the archive. */
  readonly file: string;
  /** Of the file in bytes. */
  readonly archiveBytes: number;
  /** Of the file. The same plugin with the same signatures gives the same one on every machine. */
  readonly archiveSha256: string;
  /** Of the index: the identity of the bundle. */
  readonly bundleSha256: string;
  readonly files: number;
  /** Of all files in bytes. */
  readonly bytes: number;
  /** The keys that signed it; empty when nobody did. */
  readonly keyids: readonly string[];
  /** What is in the folder and not in the plugin, such as `node_modules`; paths relative to the folder. */
  readonly leftOut: readonly string[];
}

/**
 * Writes a plugin folder as an archive. Signatures in the folder go with it if they are over what lies there now. The
 * folder is not changed. A broken manifest is not packed: throws what reading it throws, BUNDLE_INVALID, and USAGE when
 * the file cannot be written.
 *
 * @param output the file, or a folder in which it is called `NAME-VERSION.mmmp`
 */
export async function packagePlugin(directory: string, output: string): Promise<PackagedPlugin> {
  // Without the facts of this host: a plugin for another platform is packed here too.
  const spec = await readSpec(directory, 'path', null);
  await checkBundle(spec);
  const { index, bytes, sha256, leftOut } = await indexFolder(spec.directory, identityOf(spec));
  const signatures = await signaturesOver(spec.directory, bytes);
  const bundle: BundleToStore = { index, indexBytes: bytes, indexSha256: sha256, signatures };
  const { name, version } = index;
  const file = isFolder(output) ? join(output, `${diskName(name)}-${version}.mmmp`) : output;
  const packed = await write(spec.directory, bundle, file);
  return {
    id: name,
    version,
    file,
    archiveBytes: packed.bytes,
    archiveSha256: packed.sha256,
    bundleSha256: sha256,
    files: index.files.length,
    bytes: index.files.reduce((sum, { size }) => sum + size, 0),
    keyids: signersOf(signatures),
    leftOut,
  };
}

/** Adds a signature to an archive, which is written anew; those of other keys stay. Throws BUNDLE_*, MANIFEST_*. */
export async function signArchive(
  path: string,
  key: SigningKey,
  services: SourceServices & { readonly content: ContentStore },
): Promise<SignedPlugin> {
  return await withSource(path, services, { host: null }, async ({ spec, staged }) => {
    if (staged === undefined) throw new Error(`${path} became a folder while it was being signed`);
    await checkBundle(spec);
    const { bundle, directory } = staged;
    const signatures = await addSignature(bundle.indexBytes, bundle.signatures, key);
    await write(directory, { ...bundle, signatures }, path);
    const { index, indexSha256 } = bundle;
    const { keyid } = key;
    return { id: index.name, version: index.version, indexSha256, keyid, files: index.files.length, leftOut: [] };
  });
}

/** What a bundle of this plugin is called in its index. */
export function identityOf(spec: PluginSpec): Parameters<typeof indexFolder>[1] {
  const { name, version } = spec.manifest.plugin;
  const manifest = basename(spec.manifestFile) === 'plugin.yaml' ? 'plugin.yaml' : 'plugin.toml';
  return { name, version, manifest };
}

/** Throws USAGE with what the file system says of the place. */
async function write(directory: string, bundle: BundleToStore, file: string): Promise<PackedArchive> {
  try {
    return await packArchive(directory, bundle, file);
  } catch (error) {
    if (error instanceof MmmError || !(error instanceof Error && 'syscall' in error)) throw error;
    const message = `The archive cannot be written to ${safeText(file, 4096)}: ${safeText(error.message, 400)}.`;
    throw new MmmError('USAGE', message, { argument: 'output' }, { cause: error });
  }
}

function isFolder(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    return false;
  }
}
