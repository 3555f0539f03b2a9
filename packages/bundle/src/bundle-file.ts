import { closeSync, fstatSync } from 'node:fs';
import { Folder, readPieces } from './folder.ts';

/**
 * Reads one file of a folder, by a relative path, and no more than `bytesMax` bytes of it. Follows no link below the
 * folder and waits on nothing: a pipe or a device is refused. Throws what the file system says, or an Error whose
 * message fits after the file's name.
 */
export async function readBundleFile(directory: string, path: string, bytesMax: number): Promise<Buffer> {
  const root = Folder.open(directory);
  try {
    return await withBundleFile(root, path, async (descriptor) => {
      const { size } = fstatSync(descriptor);
      if (size > bytesMax) throw new Error(`it is larger than ${bytesMax / 1024} KiB`);
      const pieces: Uint8Array[] = [];
      const whole = await readPieces(descriptor, size, (piece) => void pieces.push(Uint8Array.from(piece)));
      if (!whole) throw new Error('it changed while it was read');
      return Buffer.concat(pieces);
    });
  } finally {
    root.close();
  }
}

/** Opens one file below an open folder for as long as `use` takes: a regular file, reached through no link. */
export async function withBundleFile<T>(
  root: Folder,
  path: string,
  use: (descriptor: number) => Promise<T>,
): Promise<T> {
  const parts = path.split('/');
  const name = parts.pop() ?? '';
  if ([...parts, name].some((part) => part === '' || part === '.' || part === '..')) {
    throw new Error('it is not a path inside the plugin folder');
  }
  const folders: Folder[] = [];
  let descriptor: number | undefined;
  try {
    for (const part of parts) folders.push((folders.at(-1) ?? root).folder(part));
    const folder = folders.at(-1) ?? root;
    // Looked at before it is opened, because opening a device may do something.
    if (!folder.stat(name).isFile()) throw new Error('it is not a regular file');
    descriptor = folder.file(name);
    if (!fstatSync(descriptor).isFile()) throw new Error('it is not a regular file');
    return await use(descriptor);
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
    for (const folder of folders) folder.close();
  }
}
