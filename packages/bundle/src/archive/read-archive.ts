import { createHash, type Hash } from 'node:crypto';
import { closeSync, constants, createReadStream, fstatSync, openSync, type ReadStream, readSync } from 'node:fs';
import { pipeline } from 'node:stream';
import { crc32, createInflateRaw, type InflateRaw } from 'node:zlib';
import { MmmError } from '@mmm/protocol';
import { changedBundle, indexPath, invalidArchive, signaturesPath } from '../bundle-errors.ts';
import type { Copy } from '../check-files.ts';
import { sha256Hex } from '../encoding.ts';
import type { BundleFile, BundleIndex } from '../index-file.ts';
import { bundleLimits } from '../limits.ts';
import { archiveEntries, tarEndBytes, unpackedBytes } from './archive-size.ts';
import { gzipHeader, gzipTrailer, gzipTrailerBytes } from './gzip-frame.ts';
import { claimedSize, paddingAfter, tarBlockBytes, tarHeader } from './tar-header.ts';

/** How much is inflated at one time. */
const pieceBytes = 256 * 1024;

/**
 * An open archive, of which the index and the signatures were read and nothing else yet: so much can be decided about
 * before a file is unpacked. Throws BUNDLE_INVALID for every deviation from what `packArchive` writes. It reads no
 * name, size or mode from the archive: each header has to be the one that the index prescribes. Must be closed.
 */
export class BundleArchive {
  /** As the caller named it. */
  readonly file: string;
  /** Of the file. */
  readonly bytes: number;
  readonly indexBytes: Uint8Array;
  /** Of `indexBytes`: the identity of the bundle. */
  readonly indexSha256: string;
  /** `undefined` for an archive that nobody signed. */
  readonly signatures: Uint8Array | undefined;
  readonly #source: InflatedFile;
  /** A header that was read to see whether signatures follow, and that is the first file's. */
  readonly #ahead: Uint8Array | undefined;

  private constructor(source: InflatedFile, metadata: Metadata) {
    this.file = source.file;
    this.bytes = source.size;
    this.indexBytes = metadata.indexBytes;
    this.indexSha256 = sha256Hex(metadata.indexBytes);
    this.signatures = metadata.signatures;
    this.#source = source;
    this.#ahead = metadata.ahead;
  }

  static async open(file: string): Promise<BundleArchive> {
    const source = InflatedFile.open(file);
    try {
      return new BundleArchive(source, await readMetadata(source));
    } catch (error) {
      source.close();
      throw error;
    }
  }

  /**
   * Reads all files, once, in the order of `index`, which must be what `indexBytes` says. `copy` is told of each file
   * and sees its pieces before its hash is known: what it made of them counts only when this returns, for only then
   * the whole archive down to its last byte was read. Throws BUNDLE_INVALID, and BUNDLE_CHANGED for a file that is not
   * what the index says.
   */
  async readFiles(index: BundleIndex, copy?: (file: BundleFile) => Promise<Copy>): Promise<void> {
    const unpacked = unpackedBytes(archiveEntries(index, this.indexBytes, this.signatures));
    if (unpacked > bundleLimits.archiveFreeBytes + bundleLimits.archiveRatio * this.bytes) {
      throw this.#source.refuse('.', `would grow more than ${bundleLimits.archiveRatio}-fold when it is unpacked`);
    }
    let ahead = this.#ahead;
    for (const file of index.files) {
      const header = ahead ?? (await this.#source.read(tarBlockBytes, file.path));
      ahead = undefined;
      if (!tarHeader(file).equals(header)) {
        throw this.#source.refuse(file.path, 'is what the index lists next, and the archive has something else there');
      }
      await this.#readFile(file, await copy?.(file));
    }
    await this.#source.zeros(tarEndBytes, '.', 'goes on after the last file of its index');
    await this.#source.end(unpacked);
  }

  /** Safe to call twice. */
  close(): void {
    this.#source.close();
  }

  async #readFile(file: BundleFile, copy: Copy | undefined): Promise<void> {
    let good = false;
    try {
      const hash: Hash = createHash('sha256');
      await this.#source.pieces(file.size, file.path, async (piece) => {
        hash.update(piece);
        await copy?.write(piece);
      });
      good = hash.digest('hex') === file.sha256;
    } finally {
      await copy?.end(good);
    }
    if (!good) throw changedBundle(this.file, file.path, 'changed');
    await this.#source.zeros(paddingAfter(file.size), file.path, 'is not followed by zeros');
  }
}

interface Metadata {
  readonly indexBytes: Uint8Array;
  readonly signatures: Uint8Array | undefined;
  readonly ahead: Uint8Array | undefined;
}

async function readMetadata(source: InflatedFile): Promise<Metadata> {
  const first = await source.read(tarBlockBytes, indexPath);
  const indexBytes = await readEntry(source, first, indexPath, bundleLimits.indexBytes);
  const second = await source.read(tarBlockBytes, signaturesPath);
  const name = Buffer.from(second.subarray(0, signaturesPath.length + 1)).toString('latin1');
  if (name !== `${signaturesPath}\0`) return { indexBytes, signatures: undefined, ahead: second };
  const signatures = await readEntry(source, second, signaturesPath, bundleLimits.signaturesBytes);
  return { indexBytes, signatures, ahead: undefined };
}

/** One of the two entries whose size nothing tells beforehand. */
async function readEntry(source: InflatedFile, header: Uint8Array, path: string, bytesMax: number): Promise<Buffer> {
  const size = claimedSize(header);
  if (Number.isNaN(size) || !tarHeader({ path, size, mode: '0444' }).equals(header)) {
    throw source.refuse(path, `is not ${path === indexPath ? 'its first' : 'a proper'} entry`);
  }
  if (size > bytesMax) throw source.refuse(path, `has more than ${bytesMax} bytes`);
  const bytes = await source.read(size, path);
  await source.zeros(paddingAfter(size), path, 'is not followed by zeros');
  return bytes;
}

/** The inflated bytes of a file that is exactly our gzip header, one deflate stream, and its trailer. */
class InflatedFile {
  readonly file: string;
  readonly size: number;
  readonly #trailer: Buffer;
  readonly #source: ReadStream;
  readonly #inflate: InflateRaw;
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer = Buffer.alloc(0);
  #crc = 0;

  /** Owns the descriptor from here on. */
  private constructor(file: string, descriptor: number, size: number, trailer: Buffer) {
    this.file = file;
    this.size = size;
    this.#trailer = trailer;
    this.#source = createReadStream(file, {
      fd: descriptor,
      start: gzipHeader.length,
      end: size - gzipTrailerBytes - 1,
      highWaterMark: pieceBytes,
    });
    this.#inflate = createInflateRaw({ chunkSize: pieceBytes });
    // What goes wrong reaches us through the chunks.
    pipeline(this.#source, this.#inflate, () => undefined);
    this.#chunks = this.#inflate[Symbol.asyncIterator]();
  }

  static open(file: string): InflatedFile {
    let descriptor: number;
    try {
      // A pipe would make it wait for a writer.
      descriptor = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch (error) {
      throw invalidArchive(file, '.', `cannot be opened (${codeOf(error)})`, error);
    }
    try {
      const stats = fstatSync(descriptor);
      if (!stats.isFile()) throw invalidArchive(file, '.', 'is not a regular file');
      if (stats.size > bundleLimits.archiveBytes) {
        throw invalidArchive(file, '.', `has more than ${bundleLimits.archiveBytes} bytes`);
      }
      const header = readAt(descriptor, 0, gzipHeader.length);
      if (!header.equals(gzipHeader) || stats.size <= gzipHeader.length + gzipTrailerBytes) {
        throw invalidArchive(file, '.', 'is not what `mmm plugin package` writes');
      }
      const trailer = readAt(descriptor, stats.size - gzipTrailerBytes, gzipTrailerBytes);
      return new InflatedFile(file, descriptor, stats.size, trailer);
    } catch (error) {
      closeSync(descriptor);
      throw error;
    }
  }

  refuse(entry: string, reason: string, cause?: unknown): MmmError<'BUNDLE_INVALID'> {
    return invalidArchive(this.file, entry, reason, cause);
  }

  async read(count: number, entry: string): Promise<Buffer> {
    const pieces: Buffer[] = [];
    await this.pieces(count, entry, (piece) => void pieces.push(piece));
    return Buffer.concat(pieces);
  }

  /** A piece is to be used before the next one is taken. */
  async pieces(count: number, entry: string, take: (piece: Buffer) => void | Promise<void>): Promise<void> {
    for (let left = count; left > 0; ) {
      if (this.#rest.length === 0) {
        const next = await this.#next(entry);
        if (next === undefined) throw this.refuse(entry, 'is cut off');
        this.#rest = next;
      }
      const piece = this.#rest.subarray(0, left);
      this.#rest = this.#rest.subarray(piece.length);
      left -= piece.length;
      await take(piece);
    }
  }

  async zeros(count: number, entry: string, otherwise: string): Promise<void> {
    await this.pieces(count, entry, (piece) => {
      if (piece.some((byte) => byte !== 0)) throw this.refuse(entry, otherwise);
    });
  }

  /** Makes sure that nothing follows, neither inflated nor in the file, and that the trailer is right. */
  async end(total: number): Promise<void> {
    if (this.#rest.length > 0 || (await this.#next('.')) !== undefined) {
      throw this.refuse('.', 'goes on after the end of its files');
    }
    // What zlib did not take lies behind the end of the stream: a second gzip member, or anything else.
    if (gzipHeader.length + this.#inflate.bytesWritten + gzipTrailerBytes !== this.size) {
      throw this.refuse('.', 'has more bytes after its end');
    }
    if (!this.#trailer.equals(gzipTrailer(this.#crc, total))) {
      throw this.refuse('.', 'does not have the checksum that it ends with');
    }
  }

  close(): void {
    this.#source.destroy();
    this.#inflate.destroy();
  }

  async #next(entry: string): Promise<Buffer | undefined> {
    try {
      const { value, done } = await this.#chunks.next();
      if (done === true) return undefined;
      this.#crc = crc32(value, this.#crc);
      return value;
    } catch (error) {
      if (error instanceof MmmError) throw error;
      throw this.refuse(entry, `cannot be unpacked (${codeOf(error)})`, error);
    }
  }
}

function readAt(descriptor: number, at: number, count: number): Buffer {
  const bytes = Buffer.alloc(count);
  return bytes.subarray(0, readSync(descriptor, bytes, 0, count, at));
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
}
