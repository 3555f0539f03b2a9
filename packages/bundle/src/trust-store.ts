import { lstatSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { MmmError, pluginName } from '@mmm/protocol';
import * as z from 'zod';
import { decodeBase64, encodeBase64 } from './encoding.ts';
import { withFileLock } from './file-lock.ts';
import { PrivateFileProblem, readPrivateFile } from './private-file.ts';
import { describePublicKey, keyidOf, parsePublicKey } from './public-key.ts';
import { checkPublicKey } from './strict-ed25519.ts';

/** What a key may vouch for: bundles, a registry's snapshots, revocations and rotations, or code under development. */
export const keyRoles = ['publisher', 'registry', 'root', 'dev'] as const;
export type KeyRole = (typeof keyRoles)[number];

export interface TrustedKey {
  readonly keyid: string;
  /** The 32 raw bytes in base64. */
  readonly publicKey: string;
  readonly fingerprint: string;
  readonly name: string;
  readonly role: KeyRole;
  /** `*`, `publisher/*` or exact plugin names. */
  readonly scopes: readonly string[];
  /** ISO 8601 in UTC; what it signed is refused afterwards. */
  readonly notAfter?: string | undefined;
  readonly addedAt: string;
  /** Present once it was revoked, which is for ever. */
  readonly revoked?: { readonly at: string; readonly reason: string } | undefined;
}

export interface KeyToTrust {
  /** The 32 raw bytes in base64. */
  readonly publicKey: string;
  readonly name: string;
  readonly role: KeyRole;
  readonly scopes: readonly string[];
  readonly notAfter?: string | undefined;
}

const scope = z
  .string()
  .max(100)
  .refine(
    (text) => text === '*' || pluginName.safeParse(text.endsWith('/*') ? `${text.slice(0, -1)}x` : text).success,
    'must be "*", "publisher/*" or the name of a plugin',
  );
const storedKey = z.strictObject({
  keyid: z.string(),
  publicKey: z.string(),
  name: z
    .string()
    .regex(/^[\x21-\x7e](?:[\x20-\x7e]{0,62}[\x21-\x7e])?$/, 'must be up to 64 printable ASCII characters'),
  role: z.enum(keyRoles),
  scopes: z.array(scope).min(1).max(100),
  notAfter: z.iso.datetime().optional(),
  addedAt: z.iso.datetime(),
  revoked: z.strictObject({ at: z.iso.datetime(), reason: z.string().max(400) }).optional(),
});
type StoredKey = z.infer<typeof storedKey>;
const trustFile = z.strictObject({
  schema: z.literal('mmm.trust/1'),
  revision: z.int().min(0),
  keys: z.array(storedKey).max(1000),
});

/**
 * The keys this machine trusts, in `trust.json`: 0600, written whole or not at all, changed by one process at a time.
 * No key is trusted that is not in it. Throws STATE_UNREADABLE for a damaged file, and for one that others may write.
 */
export class TrustStore {
  readonly #file: string;
  #keys: readonly TrustedKey[] = [];
  #revision = 0;
  #seen: string | undefined;

  private constructor(file: string) {
    this.#file = file;
  }

  /** Reads the file; a missing one is an empty store at revision 0. */
  static async open(file: string): Promise<TrustStore> {
    const store = new TrustStore(file);
    store.refresh();
    return store;
  }

  /** Goes up by one with each change, by whichever process. */
  get revision(): number {
    return this.#revision;
  }

  list(): TrustedKey[] {
    return [...this.#keys];
  }

  find(keyid: string): TrustedKey | undefined {
    return this.#keys.find((key) => key.keyid === keyid);
  }

  /** Takes over what another process changed, at the cost of one lstat if nothing did. Verification calls it. */
  refresh(): void {
    const seen = fileIdentity(this.#file);
    if (seen === this.#seen && seen !== undefined) return;
    this.#read();
    this.#seen = seen;
  }

  /**
   * Trusts a key from now on. For a key that is trusted already, role, scopes and expiry are replaced.
   * Throws KEY_INVALID, KEY_EXISTS if another key has the name, KEY_REVOKED.
   */
  async add(key: KeyToTrust, now: Date): Promise<TrustedKey> {
    const publicKey = parsePublicKey(key.publicKey);
    const keyid = keyidOf(publicKey);
    const checked = storedKey.safeParse({
      keyid,
      publicKey: encodeBase64(publicKey),
      name: key.name,
      role: key.role,
      scopes: [...new Set(key.scopes)],
      notAfter: key.notAfter,
      addedAt: now.toISOString(),
    });
    if (!checked.success) {
      const [issue] = checked.error.issues;
      const reason = `${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is not valid'}`;
      throw new MmmError('KEY_INVALID', `The key ${keyid} cannot be trusted like this: ${reason}.`, {
        key: keyid,
        reason,
      });
    }
    await this.#change((keys) => {
      const before = keys.find((known) => known.keyid === keyid);
      if (before?.revoked) throw revokedAgain(before);
      if (keys.some((known) => known.keyid !== keyid && known.name === key.name)) throw nameTaken(key.name, this.#file);
      return [...keys.filter((known) => known.keyid !== keyid), checked.data];
    });
    return this.#known(keyid);
  }

  /** Never trusts this key again. The entry stays, so that what it signed is refused as revoked. KEY_NOT_FOUND. */
  async revoke(keyidOrName: string, reason: string, now: Date): Promise<TrustedKey> {
    let keyid = keyidOrName;
    await this.#change((keys) => {
      const found = keys.find((key) => key.keyid === keyidOrName) ?? keys.find((key) => key.name === keyidOrName);
      if (found === undefined) throw unknownKey(keyidOrName, keys);
      keyid = found.keyid;
      if (found.revoked !== undefined) return keys;
      const revoked = { at: now.toISOString(), reason: reason.slice(0, 400) };
      return keys.map((key) => (key === found ? { ...key, revoked } : key));
    });
    return this.#known(keyid);
  }

  #known(keyid: string): TrustedKey {
    const key = this.find(keyid);
    if (key === undefined)
      throw new MmmError('INTERNAL', `The key ${keyid} is gone.`, { detail: `key ${keyid} is gone` });
    return key;
  }

  async #change(change: (keys: readonly StoredKey[]) => readonly StoredKey[]): Promise<void> {
    const { default: writeFileAtomic } = await import('write-file-atomic');
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    // Synchronous from reading to writing: neither this process nor another comes in between.
    const done = withFileLock(`${this.#file}.lock`, () => {
      this.#read();
      const before = this.#keys.map(storedForm);
      const keys = change(before);
      if (keys === before) return;
      const text = JSON.stringify({ schema: 'mmm.trust/1', revision: this.#revision + 1, keys }, null, 2);
      writeFileAtomic.sync(this.#file, `${text}\n`, { mode: 0o600 });
      this.#read();
    });
    if (done === undefined) throw this.#unreadable('is locked by another process that does not let go');
    this.#seen = fileIdentity(this.#file);
  }

  #read(): void {
    try {
      const bytes = readPrivateFile(this.#file, 0o022);
      const stored = bytes === undefined ? undefined : trustFile.parse(JSON.parse(bytes.toString('utf8')));
      this.#keys = (stored?.keys ?? []).map(trustedForm);
      this.#revision = stored?.revision ?? 0;
    } catch (error) {
      throw this.#unreadable(error instanceof PrivateFileProblem ? error.message : 'is damaged');
    }
  }

  #unreadable(reason: string): MmmError<'STATE_UNREADABLE'> {
    return new MmmError(
      'STATE_UNREADABLE',
      `The trust store ${this.#file} ${reason}. Nothing is verified until that is mended; ` +
        'move the file away to begin anew.',
      { file: this.#file, reason },
    );
  }
}

/** Whether a scope covers a plugin: `*` all, `acme/*` those of acme, else exactly this one. */
export function scopeCovers(scopes: readonly string[], plugin: string): boolean {
  return scopes.some(
    (one) => one === '*' || one === plugin || (one.endsWith('/*') && plugin.startsWith(one.slice(0, -1))),
  );
}

function fileIdentity(file: string): string | undefined {
  const stats = lstatSync(file, { bigint: true, throwIfNoEntry: false });
  return stats && [stats.dev, stats.ino, stats.size, stats.mtimeNs, stats.ctimeNs].join(' ');
}

function trustedForm(stored: StoredKey): TrustedKey {
  const raw = decodeBase64(stored.publicKey, 32);
  if (raw === undefined || checkPublicKey(raw) !== undefined || keyidOf(raw) !== stored.keyid) {
    throw new PrivateFileProblem(`holds a key that is not one: ${stored.name}`);
  }
  return { ...stored, ...describePublicKey(raw) };
}

function storedForm({ fingerprint: _, ...stored }: TrustedKey): StoredKey {
  return { ...stored, scopes: [...stored.scopes] };
}

function revokedAgain(key: StoredKey): MmmError<'KEY_REVOKED'> {
  return new MmmError(
    'KEY_REVOKED',
    `The key ${key.name} (${key.keyid}) was revoked and cannot be trusted again. Use the publisher's new key.`,
    { keyid: key.keyid, plugin: '' },
  );
}

function nameTaken(name: string, file: string): MmmError<'KEY_EXISTS'> {
  return new MmmError('KEY_EXISTS', `Another trusted key is called ${name}. Choose another name (--name).`, {
    key: name,
    file,
  });
}

function unknownKey(key: string, keys: readonly StoredKey[]): MmmError<'KEY_NOT_FOUND'> {
  const known = keys.map(({ name }) => name);
  const have = known.length === 0 ? 'It is empty.' : `It has ${known.join(', ')}.`;
  return new MmmError('KEY_NOT_FOUND', `The trust store has no key ${JSON.stringify(key)}. ${have}`, { key, known });
}
