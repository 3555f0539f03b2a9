import { closeSync, fstatSync } from 'node:fs';
import { Folder, readPieces } from './folder.ts';

/**
 * Reads one file of a folder, by a relative path, and no more than `bytesMax` bytes of it. Follows no link below the
 * folder and waits on nothing: a pipe or a device is refused. Throws what the file system says, or an Error whose
 * message fits after the file's name.
 */
export async function readBundleFile(directory: string, path: string, bytesMax: number): Promise<Buffer> {
  const parts = path.split('/');
  const name = parts.pop() ?? '';
  if ([...parts, name].some((part) => part === '' || part === '.' || part === '..')) {
    throw new Error('it is not a path inside the plugin folder');
  }
  const folders = [Folder.open(directory)];
  let descriptor: number | undefined;
  try {
    for (const part of parts) folders.push((folders.at(-1) as Folder).folder(part));
    const folder = folders.at(-1) as Folder;
    // Looked at before it is opened, because opening a device may do something.
    if (!folder.stat(name).isFile()) throw new Error('it is not a regular file');
    descriptor = folder.file(name);
    const stats = fstatSync(descriptor);
    if (!stats.isFile()) throw new Error('it is not a regular file');
    if (stats.size > bytesMax) throw new Error(`it is larger than ${bytesMax / 1024} KiB`);
    const pieces: Uint8Array[] = [];
    const whole = await readPieces(descriptor, stats.size, (piece) => void pieces.push(Uint8Array.from(piece)));
    if (!whole) throw new Error('it changed while it was read');
    return Buffer.concat(pieces);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
    for (const folder of folders) folder.close();
  }
}
