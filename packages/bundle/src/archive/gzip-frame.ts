/**
 * What precedes the compressed bytes: deflate, no flags, no date, no hint about the level, no system. Every gzip tool
 * reads it, and it has no place where two archives of one bundle could differ.
 */
export const gzipHeader = Buffer.from('1f8b08000000000000ff', 'hex');
/** What follows them: CRC-32 and length of the uncompressed bytes, both in 32 bits, the lowest byte first. */
export const gzipTrailerBytes = 8;

export function gzipTrailer(crc32: number, length: number): Buffer {
  const trailer = Buffer.alloc(gzipTrailerBytes);
  trailer.writeUInt32LE(crc32 >>> 0, 0);
  trailer.writeUInt32LE(length % 2 ** 32, 4);
  return trailer;
}
