import * as z from 'zod';
import { bundleLimits } from './limits.ts';
import { readPrivateFile } from './private-file.ts';

/** What a remembered verification is about: nothing is remembered for other bytes, or another state of trust. */
export interface MemoKey {
  readonly indexSha256: string;
  readonly signaturesSha256: string;
  readonly trustRevision: number;
}

const memoFile = z.strictObject({
  schema: z.literal('mmm.memo/1'),
  entries: z.array(z.tuple([z.string().max(200), z.array(z.string().max(64)).max(bundleLimits.signatures)])),
});

/**
 * Remembers which keys' signatures over which index were found good, so that a launch does not pay for ed25519 again.
 * Only the arithmetic is remembered: scope, expiry and revocation are looked up each time. With a file, which must lie
 * in the home folder beside the trust store, it outlives the process; a damaged file, or one that others may use,
 * counts as an empty one.
 */
export class SignatureMemo {
  readonly #entries = new Map<string, readonly string[]>();
  readonly #file: string | undefined;

  constructor(file?: string) {
    this.#file = file;
    if (file !== undefined) this.#load(file);
  }

  /** The keyids whose signatures are good, or `undefined` if that was not checked yet. */
  verifiedKeys(key: MemoKey): readonly string[] | undefined {
    return this.#entries.get(entryName(key));
  }

  /** Remembers, and writes the file if there is one. A file that cannot be written costs time, not correctness. */
  async remember(key: MemoKey, keyids: readonly string[]): Promise<void> {
    const name = entryName(key);
    this.#entries.delete(name);
    this.#entries.set(name, keyids);
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= bundleLimits.memoEntries) break;
      this.#entries.delete(oldest);
    }
    if (this.#file === undefined) return;
    const text = JSON.stringify({ schema: 'mmm.memo/1', entries: [...this.#entries] });
    try {
      const { default: writeFileAtomic } = await import('write-file-atomic');
      await writeFileAtomic(this.#file, text, { mode: 0o600, fsync: false });
    } catch {
      // The next process checks the signature again.
    }
  }

  #load(file: string): void {
    try {
      const bytes = readPrivateFile(file, 0o077);
      if (bytes === undefined) return;
      for (const [name, keyids] of memoFile.parse(JSON.parse(bytes.toString('utf8'))).entries) {
        this.#entries.set(name, keyids);
      }
    } catch {
      this.#entries.clear();
    }
  }
}

function entryName({ indexSha256, signaturesSha256, trustRevision }: MemoKey): string {
  return `${indexSha256} ${signaturesSha256} ${trustRevision}`;
}
