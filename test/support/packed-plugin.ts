import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { inflateRawSync } from 'node:zlib';
import {
  BundleArchive,
  type BundleToStore,
  ContentStore,
  packArchive,
  verifyBundle,
  verifyIndexBytes,
} from '@mmm/bundle';
import { Deflater, segmentBytes } from '../../packages/bundle/src/archive/deflate.ts';
import { gzipHeader, gzipTrailer, gzipTrailerBytes } from '../../packages/bundle/src/archive/gzip-frame.ts';
import { crc32Of } from './crc32.ts';
import { identity, now, type SignedPlugin, signedPlugin } from './plugin-folder.ts';

export interface PackedPlugin extends SignedPlugin {
  readonly bundle: BundleToStore;
  readonly archive: string;
  /** The tar in the archive. */
  readonly tar: Buffer;
  /** Writes an archive with another tar in the right frame. */
  rebuilt(name: string, tar: Uint8Array): string;
}

/** The small signed plugin, packed. */
export async function packedPlugin(t: TestContext): Promise<PackedPlugin> {
  const signed = await signedPlugin(t);
  const bundle = await verifyBundle(signed.plugin, { name: identity.name, trust: signed.trust, now });
  const archive = join(signed.home, 'echo.mmmp');
  await packArchive(signed.plugin, bundle, archive);
  const rebuilt = (name: string, tar: Uint8Array): string => {
    const file = join(signed.home, name);
    writeFileSync(file, frame(tar));
    return file;
  };
  return { ...signed, bundle, archive, tar: unframed(readFileSync(archive)), rebuilt };
}

/** What the writer would have made of this tar. */
export function frame(tar: Uint8Array): Buffer {
  return Buffer.concat([gzipHeader, deflated(tar), gzipTrailer(crc32Of(tar), tar.length)]);
}

export function deflated(bytes: Uint8Array): Buffer {
  const deflater = new Deflater();
  const parts: Uint8Array[] = [];
  for (let at = 0; at < bytes.length; at += segmentBytes) {
    parts.push(deflater.segment(bytes.subarray(at, at + segmentBytes)));
  }
  return Buffer.concat([...parts, deflater.end()]);
}

export function unframed(archive: Buffer): Buffer {
  return inflateRawSync(archive.subarray(gzipHeader.length, archive.length - gzipTrailerBytes));
}

/** What is in a folder: each file with its mode and content. */
export function tree(folder: string): Record<string, string> {
  const found: Record<string, string> = {};
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    if (entry.isFile()) found[path.slice(folder.length)] = readFileSync(path, 'hex');
  }
  return found;
}

export interface Opened {
  readonly files: Record<string, string>;
  readonly left: readonly string[];
}

/** Verifies and unpacks as an installation does. */
export async function unpack(plugin: PackedPlugin, file: string, store = join(plugin.home, 'store')): Promise<Opened> {
  const content = new ContentStore(store);
  const archive = await BundleArchive.open(file);
  try {
    const { indexBytes, signatures } = archive;
    await verifyIndexBytes({ place: file, indexBytes, signatures }, { trust: plugin.trust, now });
    const staged = await content.stage(archive);
    const files = tree(staged.directory);
    await content.discard(staged);
    return { files, left: readdirSync(store) };
  } finally {
    archive.close();
  }
}
