/** Every bound of a bundle. Whoever sends us a folder decides what is in it, so each number caps work or memory. */
export const bundleLimits = {
  /** Largest `.mmm/index.json` in bytes. Room for 5,000 files with paths of usual length. */
  indexBytes: 1024 * 1024,
  /** Largest `.mmm/signatures.json` in bytes. Eight signatures take two thousand. */
  signaturesBytes: 16 * 1024,
  /** Signatures in one file. Each costs milliseconds to check. */
  signatures: 8,
  /** Files in a bundle. */
  files: 5000,
  /** Files and folders met on a walk, empty folders included. */
  entries: 10_000,
  /** Largest single file in bytes. */
  fileBytes: 100 * 1024 * 1024,
  /** All files together in bytes. */
  totalBytes: 200 * 1024 * 1024,
  /** Largest archive in bytes: the files, what tar adds to each of the most there may be, and some more. */
  archiveBytes: 210 * 1024 * 1024,
  /** Largest archive whose minisign signature is over the file itself and not its hash: tweetnacl copies it thrice. */
  minisignBytes: 32 * 1024 * 1024,
  /** How many times its own size an archive may unpack to. We write at most 174; text shrinks 3 to 20-fold. */
  archiveRatio: 200,
  /** What any archive may unpack to, whatever its size, in bytes: headers and padding of small ones shrink best. */
  archiveFreeBytes: 2 * 1024 * 1024,
  /** Longest path in characters, as the manifest's own paths. */
  pathCharacters: 200,
  /** Deepest path in components. */
  pathComponents: 16,
  /** How much of a file is in memory at one time, in bytes. */
  readBytes: 256 * 1024,
  /** Largest key, trust, memo or identity file that is read, in bytes. 10,000 identities take two million. */
  stateBytes: 8 * 1024 * 1024,
  /** Files and folders that one removal of a tree takes away before it gives up on somebody who goes on writing. */
  removals: 10_000_000,
  /** Largest rotation statement or revocation list in bytes: the most entries, with reasons of usual length. */
  statementBytes: 2 * 1024 * 1024,
  /** Keys and bundles in one revocation list, and what is remembered of one issuer. Each start reads them. */
  revocations: 5000,
  /** Verified signatures remembered in a memo file; the oldest go first. */
  memoEntries: 256,
} as const;
