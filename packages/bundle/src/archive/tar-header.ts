/** Tar counts in blocks of so many bytes. */
export const tarBlockBytes = 512;

export interface TarEntry {
  readonly path: string;
  /** In bytes, below 8 GiB. */
  readonly size: number;
  /** Four octal digits. */
  readonly mode: '0444' | '0555';
}

/**
 * Cuts a path as ustar stores it: a name of at most 100 characters after folders of at most 155. The first place that
 * fits, so that a path has one spelling. `undefined` when there is none.
 */
export function splitPath(path: string): { readonly folders: string; readonly name: string } | undefined {
  if (path.length <= 100) return { folders: '', name: path };
  const at = path.indexOf('/', path.length - 101);
  if (at === -1 || at > 155) return undefined;
  return { folders: path.slice(0, at), name: path.slice(at + 1) };
}

/**
 * The one header that an entry may have: a regular file of nobody, from the beginning of time (POSIX ustar). There is
 * nothing in it but path, size and mode, so a reader that knows those compares it instead of parsing it.
 */
export function tarHeader({ path, size, mode }: TarEntry): Buffer {
  const split = splitPath(path);
  if (split === undefined) throw new RangeError(`${path} does not fit into the header of an archive`);
  const header = Buffer.alloc(tarBlockBytes);
  const put = (text: string, at: number): void => void header.write(text, at, 'latin1');
  put(split.name, 0);
  put(`000${mode}\0`, 100);
  put('0000000\0', 108);
  put('0000000\0', 116);
  put(`${size.toString(8).padStart(11, '0')}\0`, 124);
  put('00000000000\0', 136);
  put(' '.repeat(8), 148);
  put('0', 156);
  put('ustar\x0000', 257);
  put('0000000\0', 329);
  put('0000000\0', 337);
  put(split.folders, 345);
  const sum = header.reduce((total, byte) => total + byte, 0);
  put(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  return header;
}

/** The size that a header claims; the header must be compared with `tarHeader` before that is believed. */
export function claimedSize(header: Uint8Array): number {
  const digits = Buffer.from(header.subarray(124, 135)).toString('latin1');
  return /^[0-7]{11}$/.test(digits) ? Number.parseInt(digits, 8) : Number.NaN;
}

/** The zero bytes between the end of a file and the next block. */
export function paddingAfter(size: number): number {
  return (tarBlockBytes - (size % tarBlockBytes)) % tarBlockBytes;
}
