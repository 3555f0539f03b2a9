import { closeSync, constants, fchmodSync, openSync, rmSync, writeSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { chmod, lstat, mkdir, open, readdir, readFile, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { MmmError } from '@mmm/protocol';
import type { BundleArchive } from './archive/read-archive.ts';
import { changedBundle, indexPath, signaturesPath } from './bundle-errors.ts';
import type { Copy } from './check-files.ts';
import { checkFiles, foldersOf } from './check-files.ts';
import { sha256Hex } from './encoding.ts';
import { matchesRecord, readIdentities, sameIdentities, writeRecord } from './identity.ts';
import type { BundleFile, BundleIndex } from './index-file.ts';
import { parseIndex } from './index-file.ts';
import { bundleLimits } from './limits.ts';
import { createStaging, discardStaging, moveAside, removeAtomically, removeLeftovers, syncPath } from './staging.ts';

/** What is put into the store: the outcome of `verifyBundle`, or of `indexFolder` for a plugin excepted by name. */
export interface BundleToStore {
  readonly index: BundleIndex;
  readonly indexBytes: Uint8Array;
  readonly indexSha256: string;
  readonly signatures?: Uint8Array | undefined;
}

/** An archive unpacked beside the store: a whole bundle, read-only, that is nobody's yet. */
export interface StagedBundle {
  readonly directory: string;
  readonly bundle: BundleToStore;
}

const sha256Pattern = /^[0-9a-f]{64}$/;
const newFileFlags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
/** Files written to the disk at one time: the disk joins the waiting ones, so one by one would take far longer. */
const syncsAtOnce = 16;

/**
 * Bundles by the sha256 of their index, in `store/<sha256>`: written once, read-only, and what plugins run from. Beside
 * each lies a record of what the file system said of every file, so that a launch sees a change without hashing.
 */
export class ContentStore {
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  /**
   * Copies the listed files of `directory` into the store and returns the folder there. Every byte is compared with
   * the index while it is copied: BUNDLE_CHANGED if the folder is no longer what was verified. All or nothing, also
   * across a crash; what is there already and intact stays, what is there and damaged is replaced.
   */
  async put(directory: string, bundle: BundleToStore): Promise<string> {
    if (sha256Hex(bundle.indexBytes) !== bundle.indexSha256) throw internal('The index to store has another sha256.');
    const index = parseIndex(bundle.indexBytes, directory);
    const target = this.#path(bundle.indexSha256);
    await this.clean();
    if (await this.#isIntact(bundle.indexSha256)) {
      await this.#keepSignatures(bundle);
      return target;
    }
    const staging = await createStaging(this.#directory);
    try {
      await fillStaging(staging, index, bundle, (copy) => checkFiles(directory, index, { copy }));
      await this.#moveIntoPlace(staging, bundle.indexSha256);
    } finally {
      await discardStaging(staging);
    }
    return await this.#checkNew(bundle.indexSha256);
  }

  /**
   * Unpacks an archive into a folder of its own beside the store, every byte compared with its index: all of it, or
   * nothing stays. Says nothing about signatures. `keep` or `discard` must follow. Throws BUNDLE_INVALID for whatever
   * `packArchive` would not have written, BUNDLE_CHANGED for a file that is not what the index says.
   */
  async stage(archive: BundleArchive): Promise<StagedBundle> {
    const { file, indexBytes, indexSha256, signatures } = archive;
    const index = parseIndex(indexBytes, file);
    await this.clean();
    const directory = await createStaging(this.#directory);
    try {
      const bundle = { index, indexBytes, indexSha256, signatures };
      await fillStaging(directory, index, bundle, (copy) => archive.readFiles(index, copy));
      return { directory, bundle };
    } catch (error) {
      await discardStaging(directory);
      throw error;
    }
  }

  /** Moves a staged bundle to its place in the store and returns that. All or nothing, also across a crash. */
  async keep({ directory, bundle }: StagedBundle): Promise<string> {
    if (await this.#isIntact(bundle.indexSha256)) {
      await this.#keepSignatures(bundle);
      return this.#path(bundle.indexSha256);
    }
    await this.#moveIntoPlace(directory, bundle.indexSha256);
    return await this.#checkNew(bundle.indexSha256);
  }

  /** Removes a staged bundle; nothing is done for one that was kept. */
  async discard(staged: StagedBundle): Promise<void> {
    await discardStaging(staged.directory);
  }

  /**
   * Makes sure that a stored bundle is what was put there and returns its folder. Looks at the identity of every file
   * and folder; only if one differs from the record, the files are hashed. Throws BUNDLE_CHANGED.
   */
  async check(sha256: string): Promise<string> {
    const directory = this.#path(sha256);
    const before = readIdentities(directory);
    if (before !== undefined && matchesRecord(this.#recordFile(sha256), before)) return directory;
    await this.#checkContent(directory, sha256);
    const after = readIdentities(directory);
    // A change while it was hashed must not get into the record: then the next launch hashes again.
    if (before !== undefined && after !== undefined && sameIdentities(before, after)) {
      await writeRecord(this.#recordFile(sha256), after);
    }
    return directory;
  }

  /** Removes what processes that died while they put something left behind. */
  async clean(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    await removeLeftovers(this.#directory);
  }

  /** Removes a bundle and its record. One that is not there is no error. */
  async remove(sha256: string): Promise<void> {
    await rm(this.#recordFile(sha256), { force: true });
    await removeAtomically(this.#directory, this.#path(sha256));
  }

  /** As `remove`, but it is out of its place when this returns; what it returns takes it off the disk. */
  moveAside(sha256: string): () => Promise<void> {
    rmSync(this.#recordFile(sha256), { force: true });
    return moveAside(this.#directory, this.#path(sha256));
  }

  /** The sha256 of every stored bundle, sorted. */
  async list(): Promise<string[]> {
    const entries = await readdir(this.#directory, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    return entries
      .filter((entry) => entry.isDirectory() && sha256Pattern.test(entry.name))
      .map(({ name }) => name)
      .sort();
  }

  #path(sha256: string): string {
    if (!sha256Pattern.test(sha256)) throw internal('A bundle is named by 64 lower-case hex digits.');
    return join(this.#directory, sha256);
  }

  #recordFile(sha256: string): string {
    return `${this.#path(sha256)}.identity.json`;
  }

  async #checkNew(sha256: string): Promise<string> {
    await syncPath(this.#directory);
    // Reads everything back: what gets into the record is what lies there now, not what was meant to be written.
    return await this.check(sha256);
  }

  async #isIntact(sha256: string): Promise<boolean> {
    const stats = await lstat(this.#path(sha256)).catch(() => undefined);
    if (stats === undefined) return false;
    try {
      await this.check(sha256);
      return true;
    } catch (error) {
      if (MmmError.is(error, 'BUNDLE_CHANGED') || MmmError.is(error, 'BUNDLE_INVALID')) return false;
      throw error;
    }
  }

  async #checkContent(directory: string, sha256: string): Promise<void> {
    const stats = await lstat(directory).catch(() => undefined);
    if (stats === undefined) throw changedBundle(directory, '.', 'missing');
    if (!stats.isDirectory()) throw changedBundle(directory, '.', 'not_a_file');
    await checkMetadataModes(directory);
    const indexBytes = await readFile(join(directory, indexPath));
    if (sha256Hex(indexBytes) !== sha256) throw changedBundle(directory, indexPath, 'changed');
    await checkFiles(directory, parseIndex(indexBytes, directory), { exactModes: true });
  }

  /** Two may put the same bundle at one time: the second finds the place taken, by good bytes or by damaged ones. */
  async #moveIntoPlace(staging: string, sha256: string): Promise<void> {
    const target = this.#path(sha256);
    for (let attempt = 0; attempt < 3; attempt += 1) {
      try {
        await rename(staging, target);
        return;
      } catch (error) {
        const { code } = error as NodeJS.ErrnoException;
        if (code !== 'ENOTEMPTY' && code !== 'EEXIST' && code !== 'ENOTDIR') throw error;
      }
      if (await this.#isIntact(sha256)) return;
      await this.remove(sha256);
    }
    throw internal(`The place ${target} in the store is taken again and again.`);
  }

  /** A bundle that was stored unsigned, or with fewer signatures, gets those it is installed with now. */
  async #keepSignatures({ indexSha256, signatures }: BundleToStore): Promise<void> {
    if (signatures === undefined) return;
    const target = this.#path(indexSha256);
    const file = join(target, signaturesPath);
    const stored = await readFile(file).catch(() => undefined);
    if (stored?.equals(signatures)) return;
    const { default: writeFileAtomic } = await import('write-file-atomic');
    await chmod(dirname(file), 0o700);
    try {
      await writeFileAtomic(file, signatures, { mode: 0o444 });
    } finally {
      await chmod(dirname(file), 0o555);
    }
    await this.check(indexSha256);
  }
}

async function fillStaging(
  staging: string,
  index: BundleIndex,
  bundle: BundleToStore,
  readFiles: (copy: (file: BundleFile) => Promise<Copy>) => Promise<void>,
): Promise<void> {
  const folders = [...foldersOf(index), '.mmm'].sort();
  for (const folder of folders) {
    if (folder !== '') await mkdir(join(staging, folder), { mode: 0o700 });
  }
  await readFiles((file) => copyInto(staging, file));
  const written = index.files.map(({ path }) => path);
  written.push(indexPath, ...(bundle.signatures === undefined ? [] : [signaturesPath]));
  await writeNew(join(staging, indexPath), bundle.indexBytes);
  if (bundle.signatures !== undefined) await writeNew(join(staging, signaturesPath), bundle.signatures);
  await syncAll(written.map((path) => join(staging, path)));
  for (const folder of folders.reverse()) {
    await chmod(join(staging, folder), 0o555);
    await syncPath(join(staging, folder));
  }
}

async function copyInto(staging: string, file: BundleFile): Promise<Copy> {
  const path = join(staging, file.path);
  if (file.size <= bundleLimits.readBytes) return copySmall(path, file);
  const handle = await open(path, newFileFlags, 0o600);
  return {
    write: (piece) => writeAll(handle, piece),
    async end(good) {
      if (good) await handle.chmod(Number.parseInt(file.mode, 8));
      await handle.close();
    },
  };
}

/** At once, on this thread: for a file of some kilobytes the ways to the thread pool and back take far longer. */
function copySmall(path: string, file: BundleFile): Copy {
  const descriptor = openSync(path, newFileFlags, 0o600);
  return {
    async write(piece) {
      for (let at = 0; at < piece.length; ) at += writeSync(descriptor, piece, at);
    },
    async end(good) {
      try {
        if (good) fchmodSync(descriptor, Number.parseInt(file.mode, 8));
      } finally {
        closeSync(descriptor);
      }
    },
  };
}

async function writeNew(path: string, bytes: Uint8Array): Promise<void> {
  const handle = await open(path, newFileFlags, 0o600);
  try {
    await writeAll(handle, bytes);
    await handle.chmod(0o444);
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await handle.write(bytes, at, bytes.length - at, null)).bytesWritten;
  }
}

async function syncAll(paths: readonly string[]): Promise<void> {
  for (let at = 0; at < paths.length; at += syncsAtOnce) {
    await Promise.all(paths.slice(at, at + syncsAtOnce).map(syncPath));
  }
}

/** The walk over the files does not look at the modes in `.mmm`, nor at whether the index is a file of its own. */
async function checkMetadataModes(directory: string): Promise<void> {
  for (const path of ['.mmm', indexPath, signaturesPath]) {
    const stats = await lstat(join(directory, path)).catch(() => undefined);
    if (stats === undefined && path === signaturesPath) continue;
    if (stats === undefined) throw changedBundle(directory, path, 'missing');
    const isFolder = path === '.mmm';
    if (isFolder ? !stats.isDirectory() : !stats.isFile() || stats.nlink !== 1) {
      throw changedBundle(directory, path, 'not_a_file');
    }
    if ((stats.mode & 0o7777) !== (isFolder ? 0o555 : 0o444)) throw changedBundle(directory, path, 'mode');
  }
}

function internal(detail: string): MmmError<'INTERNAL'> {
  return new MmmError('INTERNAL', detail, { detail });
}
