import { type BigIntStats, lstatSync } from 'node:fs';
import { privateFileWriter, readPrivateFile } from '@mmm/bundle';
import { hostVersion, type Manifest } from '@mmm/protocol';
import { hostLimits } from '../limits.ts';

/** What reading and checking one manifest came to. */
export interface ReadManifest {
  readonly manifestSha256: string;
  readonly manifest: Manifest;
}

interface Entry extends ReadManifest {
  readonly identity: string;
}

/** Written by this version for this version: another one may read manifests otherwise. */
const schema = `mmm.manifests/1 ${hostVersion}`;
/** A file changed in the same tick of the file system's clock looks the same: so young a file is read again. */
const settledMs = 2000;

/**
 * Remembers manifests that were read and found good, by what the file system says of their files, so that a scan of a
 * thousand plugins reads only what changed. It lies in the home folder, which is as private as the grants in it; a
 * damaged file, or one that others may use, counts as an empty one. Nothing is launched by it: `verify` compares the
 * sha256 with what was signed.
 */
export class ManifestMemory {
  readonly #file: string;
  #entries: Map<string, Entry> | undefined;
  #changed = false;

  constructor(file: string) {
    this.#file = file;
  }

  /** The manifest of a regular file that is what it was when it was read; nothing otherwise. */
  recall(file: string): ReadManifest | undefined {
    const entry = this.#loaded().get(file);
    return entry !== undefined && entry.identity === identityOf(file) ? entry : undefined;
  }

  /** To be told of the identity from before the reading: what changed meanwhile is then seen at the next scan. */
  remember(file: string, identity: string | undefined, { manifestSha256, manifest }: ReadManifest): void {
    if (identity === undefined) return;
    const entries = this.#loaded();
    entries.delete(file);
    entries.set(file, { identity, manifestSha256, manifest });
    this.#changed = true;
  }

  /** Writes what is new. A file that cannot be written costs time, not correctness. */
  async save(): Promise<void> {
    if (!this.#changed || this.#entries === undefined) return;
    this.#changed = false;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= hostLimits.rememberedManifests) break;
      this.#entries.delete(oldest);
    }
    try {
      const write = await privateFileWriter();
      write(this.#file, JSON.stringify({ schema, entries: [...this.#entries] }));
    } catch {
      // The next process reads the manifests themselves.
    }
  }

  #loaded(): Map<string, Entry> {
    this.#entries ??= load(this.#file);
    return this.#entries;
  }
}

/** Nothing for what is no regular file, or changed too lately to tell one change from the next. */
export function identityOf(file: string, nowMs?: number): string | undefined {
  let status: BigIntStats | undefined;
  try {
    status = lstatSync(file, { bigint: true, throwIfNoEntry: false });
  } catch {
    return undefined;
  }
  if (status?.isFile() !== true) return undefined;
  if (nowMs !== undefined && Number(status.ctimeMs) + settledMs > nowMs) return undefined;
  const { dev, ino, size, mtimeNs, ctimeNs } = status;
  return [dev, ino, size, mtimeNs, ctimeNs].join(':');
}

function load(file: string): Map<string, Entry> {
  try {
    const bytes = readPrivateFile(file, 0o077);
    const read = bytes === undefined ? undefined : (JSON.parse(bytes.toString('utf8')) as Record<string, unknown>);
    return read?.schema === schema ? new Map(read.entries as [string, Entry][]) : new Map();
  } catch {
    return new Map();
  }
}
