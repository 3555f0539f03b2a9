import { createHash, randomBytes } from 'node:crypto';
import { type FileHandle, open, rename, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { crc32 } from 'node:zlib';
import { changedBundle } from '../bundle-errors.ts';
import { withBundleFile } from '../bundle-file.ts';
import type { BundleToStore } from '../content-store.ts';
import { Folder, readPieces } from '../folder.ts';
import { syncPath } from '../staging.ts';
import { archiveEntries, tarEndBytes } from './archive-size.ts';
import { Deflater, segmentBytes } from './deflate.ts';
import { gzipHeader, gzipTrailer } from './gzip-frame.ts';
import { paddingAfter, tarHeader } from './tar-header.ts';

export interface PackedArchive {
  /** Bytes of the file that was written. */
  readonly bytes: number;
  /** Of that file. */
  readonly sha256: string;
}

/**
 * Writes a bundle as an archive, `.mmmp`: a gzip tar with the index first, the signatures second, then the files in the
 * order of the index. The same bundle gives the same bytes on every machine. Each file is compared with the index while
 * it is read: throws BUNDLE_CHANGED when the folder is no longer what was indexed. The archive appears under its name
 * when it is whole and on the disk; what lay there before stays until then.
 */
export async function packArchive(directory: string, bundle: BundleToStore, output: string): Promise<PackedArchive> {
  // By its name no part of a plugin, should it ever stay behind in a plugin folder.
  const fresh = join(dirname(output), `.${basename(output)}.${randomBytes(6).toString('hex')}.mmmp`);
  const handle = await open(fresh, 'wx', 0o666);
  try {
    let packed: PackedArchive;
    try {
      packed = await writeArchive(handle, directory, bundle);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await rename(fresh, output);
    await syncPath(dirname(output));
    return packed;
  } finally {
    await rm(fresh, { force: true });
  }
}

async function writeArchive(handle: FileHandle, directory: string, bundle: BundleToStore): Promise<PackedArchive> {
  const { index, indexBytes, signatures } = bundle;
  const listed = new Map(index.files.map((file) => [file.path, file]));
  const metadata = [indexBytes, ...(signatures === undefined ? [] : [signatures])];
  const stream = new GzipStream(handle);
  await stream.begin();
  const root = Folder.open(directory);
  try {
    for (const entry of archiveEntries(index, indexBytes, signatures)) {
      await stream.write(tarHeader(entry));
      const file = listed.get(entry.path);
      if (file === undefined) {
        await stream.write(metadata.shift() ?? new Uint8Array(0));
      } else {
        const hash = createHash('sha256');
        const whole = await withBundleFile(root, file.path, (descriptor) => {
          return readPieces(descriptor, file.size, async (piece) => {
            hash.update(piece);
            await stream.write(piece);
          });
        });
        if (!whole || hash.digest('hex') !== file.sha256) throw changedBundle(directory, file.path, 'changed');
      }
      await stream.write(new Uint8Array(paddingAfter(entry.size)));
    }
  } finally {
    root.close();
  }
  await stream.write(new Uint8Array(tarEndBytes));
  return await stream.end();
}

/** Collects bytes into segments, and writes each compressed one to the file. */
class GzipStream {
  readonly #handle: FileHandle;
  readonly #deflater = new Deflater();
  readonly #segment = Buffer.alloc(segmentBytes);
  readonly #hash = createHash('sha256');
  #filled = 0;
  #crc = 0;
  #length = 0;
  #bytes = 0;

  constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  async begin(): Promise<void> {
    await this.#put(gzipHeader);
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#crc = crc32(bytes, this.#crc);
    this.#length += bytes.length;
    for (let at = 0; at < bytes.length; ) {
      const part = bytes.subarray(at, at + segmentBytes - this.#filled);
      this.#segment.set(part, this.#filled);
      this.#filled += part.length;
      at += part.length;
      if (this.#filled === segmentBytes) await this.#flush();
    }
  }

  async end(): Promise<PackedArchive> {
    if (this.#filled > 0) await this.#flush();
    await this.#put(this.#deflater.end());
    await this.#put(gzipTrailer(this.#crc, this.#length));
    return { bytes: this.#bytes, sha256: this.#hash.digest('hex') };
  }

  async #flush(): Promise<void> {
    const compressed = this.#deflater.segment(this.#segment.subarray(0, this.#filled));
    this.#filled = 0;
    await this.#put(compressed);
  }

  async #put(bytes: Uint8Array): Promise<void> {
    this.#hash.update(bytes);
    this.#bytes += bytes.length;
    await this.#handle.writeFile(bytes);
  }
}
