import { createHash } from 'node:crypto';
import { pluginName, semverVersion } from '@mmm/protocol';
import { invalidBundle } from './bundle-errors.ts';
import { sha256Hex } from './encoding.ts';
import { readPieces } from './folder.ts';
import type { BundleFile, BundleIndex } from './index-file.ts';
import { parseIndex, serialiseIndex } from './index-file.ts';
import { isLeftOut } from './left-out.ts';
import { bundleLimits } from './limits.ts';
import { findCollision } from './path-rules.ts';
import { walkFolder } from './walk-folder.ts';

/** What a bundle is called: taken from its manifest by the caller. */
export interface BundleIdentity {
  readonly name: string;
  readonly version: string;
  readonly manifest: 'plugin.toml' | 'plugin.yaml';
}

export interface IndexedFolder {
  readonly index: BundleIndex;
  readonly bytes: Uint8Array;
  /** Of `bytes`: the identity of the bundle. */
  readonly sha256: string;
  /** Paths that were found and are no part of the bundle, such as `node_modules`. Nothing below them was looked at. */
  readonly leftOut: readonly string[];
}

/**
 * Lists and hashes every file of a folder but what is left out of each plugin. The same files give the same bytes,
 * whatever their dates and owners and wherever the folder is. Throws BUNDLE_INVALID for anything that may not be in a
 * bundle.
 */
export async function indexFolder(directory: string, identity: BundleIdentity): Promise<IndexedFolder> {
  const { name, version, manifest } = identity;
  if (!pluginName.safeParse(name).success)
    throw invalidBundle(directory, manifest, `has the name ${name}, which is not one`);
  if (!semverVersion.safeParse(version).success) {
    throw invalidBundle(directory, manifest, `has the version ${version}, which is not a semantic version`);
  }
  const leftOut: string[] = [];
  const files = await listFiles(directory, leftOut);
  if (!files.some(({ path }) => path === manifest)) throw invalidBundle(directory, manifest, 'is not there');
  const index: BundleIndex = { schema: 'mmm.bundle/1', name, version, manifest, files };
  const bytes = serialiseIndex(index);
  if (bytes.length > bundleLimits.indexBytes) {
    throw invalidBundle(directory, '.', `has so many files that their index is above ${bundleLimits.indexBytes} bytes`);
  }
  return { index: parseIndex(bytes, directory), bytes, sha256: sha256Hex(bytes), leftOut };
}

async function listFiles(directory: string, leftOut: string[]): Promise<BundleFile[]> {
  const files: BundleFile[] = [];
  let total = 0;
  await walkFolder({
    directory,
    refuse: (file, _kind, reason) => invalidBundle(directory, file, reason),
    leavesOut(path, name) {
      if (isLeftOut(name)) leftOut.push(path);
      return isLeftOut(name);
    },
    async visitFile({ path, size, mode, descriptor }) {
      total += size;
      if (size > bundleLimits.fileBytes)
        throw invalidBundle(directory, path, `has more than ${bundleLimits.fileBytes} bytes`);
      if (total > bundleLimits.totalBytes) {
        throw invalidBundle(directory, path, `brings the files above ${bundleLimits.totalBytes} bytes`);
      }
      if (files.length >= bundleLimits.files)
        throw invalidBundle(directory, path, `is one more than ${bundleLimits.files} files`);
      const hash = createHash('sha256');
      const whole = await readPieces(descriptor, size, (piece) => void hash.update(piece));
      if (!whole) throw invalidBundle(directory, path, 'changed while it was read');
      files.push({ path, size, mode: (mode & 0o111) === 0 ? '0444' : '0555', sha256: hash.digest('hex') });
    },
  });
  const collision = findCollision(files.map(({ path }) => path));
  if (collision !== undefined) throw invalidBundle(directory, collision.path, collision.problem);
  return files.sort((a, b) => (a.path < b.path ? -1 : 1));
}
