import { createHash } from 'node:crypto';
import { changedBundle } from './bundle-errors.ts';
import { readPieces } from './folder.ts';
import type { BundleFile, BundleIndex } from './index-file.ts';
import { isLeftOut } from './left-out.ts';
import type { FoundFile } from './walk-folder.ts';
import { walkFolder } from './walk-folder.ts';

export interface FileCheck {
  /** Sees each piece of each file before its hash is known: what it made of them counts only if the check succeeds. */
  copy?(file: BundleFile): Promise<Copy>;
  /** Whether every mode must be exactly the listed one and folders 0555, and nothing else may be there: the store. */
  readonly exactModes?: boolean;
}

export interface Copy {
  write(piece: Uint8Array): Promise<void>;
  /** `good`: whether the pieces were what the index says. */
  end(good: boolean): Promise<void>;
}

/**
 * Compares every file of a folder with an index: nothing unlisted but what is left out of each plugin, nothing missing,
 * and size, executable bit and sha256 as listed. Throws BUNDLE_CHANGED with the first difference, BUNDLE_INVALID for
 * what cannot be read.
 */
export async function checkFiles(directory: string, index: BundleIndex, check: FileCheck = {}): Promise<void> {
  const missing = new Map(index.files.map((file) => [file.path, file]));
  const listed = new Set(missing.keys());
  const folders = foldersOf(index);
  const isStored = check.exactModes === true;
  await walkFolder({
    directory,
    refuse: (file, kind) => changedBundle(directory, file, kind === 'bad_path' ? 'unlisted' : 'not_a_file'),
    async visitFile(found) {
      const file = missing.get(found.path);
      if (file === undefined) throw changedBundle(directory, found.path, 'unlisted');
      missing.delete(found.path);
      await checkFile(directory, found, file, check);
    },
    // An author's folder has more in it than the plugin. None of it is copied, so none of it ever runs.
    leavesOut: (path, name) => !isStored && isLeftOut(name) && !listed.has(path) && !folders.has(path),
    visitFolder(path, mode) {
      if (!isStored) return;
      if (!folders.has(path)) throw changedBundle(directory, path, 'unlisted');
      if (mode !== 0o555) throw changedBundle(directory, path === '' ? '.' : path, 'mode');
    },
  });
  const [first] = missing.keys();
  if (first !== undefined) throw changedBundle(directory, first, 'missing');
}

/** The folders in which the files of an index lie; the bundle itself is the empty path. */
export function foldersOf(index: BundleIndex): ReadonlySet<string> {
  const folders = new Set(['']);
  for (const { path } of index.files) {
    for (let at = path.indexOf('/'); at !== -1; at = path.indexOf('/', at + 1)) folders.add(path.slice(0, at));
  }
  return folders;
}

async function checkFile(directory: string, found: FoundFile, listed: BundleFile, check: FileCheck): Promise<void> {
  if (found.size !== listed.size) throw changedBundle(directory, found.path, 'changed');
  const mode = check.exactModes === true ? found.mode : (found.mode & 0o111) === 0 ? 0o444 : 0o555;
  if (mode !== Number.parseInt(listed.mode, 8)) throw changedBundle(directory, found.path, 'mode');
  const copy = await check.copy?.(listed);
  let good = false;
  try {
    const hash = createHash('sha256');
    const whole = await readPieces(found.descriptor, found.size, async (piece) => {
      hash.update(piece);
      await copy?.write(piece);
    });
    good = whole && hash.digest('hex') === listed.sha256;
  } finally {
    await copy?.end(good);
  }
  if (!good) throw changedBundle(directory, found.path, 'changed');
}
