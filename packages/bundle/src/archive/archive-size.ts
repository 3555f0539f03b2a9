import { indexPath, signaturesPath } from '../bundle-errors.ts';
import type { BundleIndex } from '../index-file.ts';
import { paddingAfter, type TarEntry, tarBlockBytes } from './tar-header.ts';

/** Two blocks of zeros say that a tar ends. */
export const tarEndBytes = 2 * tarBlockBytes;

/** The entries of the archive of a bundle, in their order. */
export function archiveEntries(
  index: BundleIndex,
  indexBytes: Uint8Array,
  signatures: Uint8Array | undefined,
): readonly TarEntry[] {
  return [
    { path: indexPath, size: indexBytes.length, mode: '0444' },
    ...(signatures === undefined ? [] : [{ path: signaturesPath, size: signatures.length, mode: '0444' } as const]),
    ...index.files,
  ];
}

/** How many bytes they unpack to, headers, padding and end included. */
export function unpackedBytes(entries: readonly TarEntry[]): number {
  return entries.reduce((sum, { size }) => sum + tarBlockBytes + size + paddingAfter(size), tarEndBytes);
}
