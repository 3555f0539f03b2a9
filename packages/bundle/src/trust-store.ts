import { lstatSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { MmmError } from '@mmm/protocol';
import { diskFailure } from './disk-failure.ts';
import { encodeBase64 } from './encoding.ts';
import { withFileLock } from './file-lock.ts';
import { PrivateFileProblem, privateFileWriter, readPrivateFile, type WritePrivateFile } from './private-file.ts';
import { keyidOf, parsePublicKey } from './public-key.ts';
import type { RevocationList } from './revocations.ts';
import type { Rotation } from './rotation.ts';
import { handOver, merged } from './trust-changes.ts';
import {
  emptyTrust,
  type KeyRole,
  parseTrust,
  type StoredKey,
  type StoredRevocations,
  serialiseTrust,
  storedKey,
  type TrustedKey,
  type TrustState,
  trustedForm,
} from './trust-file.ts';

export interface KeyToTrust {
  /** The 32 raw bytes in base64. */
  readonly publicKey: string;
  readonly name: string;
  readonly role: KeyRole;
  readonly scopes: readonly string[];
  readonly notAfter?: string | undefined;
}

/** Why a key or a bundle is not to be used any more. */
export interface Revocation {
  /** ISO 8601, UTC: when this machine learnt of it. */
  readonly at: string;
  readonly reason: string;
  /** The name of the key whose list says so, or null when the user said so. */
  readonly issuer: string | null;
}

/** Called with what is about to be written, after every check: when it throws, nothing is written. */
export type RecordChange<T> = (change: T) => void;
const unrecorded = (): void => undefined;

/**
 * The keys this machine trusts, the rotations it accepted and what was revoked, in `trust.json`: 0600, written whole or
 * not at all, changed by one process at a time. No key is trusted that is not in it. Throws STATE_UNREADABLE for a
 * damaged file, and for one that others may write.
 */
export class TrustStore {
  readonly #file: string;
  #state: TrustState = emptyTrust;
  #keys: readonly TrustedKey[] = [];
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
    return this.#state.revision;
  }

  list(): TrustedKey[] {
    return [...this.#keys];
  }

  find(keyid: string): TrustedKey | undefined {
    return this.#keys.find((key) => key.keyid === keyid);
  }

  /** What each issuer has revoked so far. */
  revocations(): readonly StoredRevocations[] {
    return this.#state.revocations;
  }

  /**
   * Whose key it is: the first key of the line of rotations that leads to it, which is itself when there is none. What
   * is bound to a publisher is bound to this, so that it is still theirs after a rotation.
   */
  publisherOf(keyid: string): string {
    let first = keyid;
    // Bounded: `rotate` lets no line lead back into itself, a file written by hand might.
    for (let steps = 0; steps <= this.#state.rotations.length; steps += 1) {
      const before = this.#state.rotations.find(({ to }) => to === first);
      if (before === undefined) break;
      first = before.from;
    }
    return first;
  }

  /** The signed statement that made this key the successor of another one, to be given to others. */
  rotationTo(keyid: string): string | undefined {
    return this.#state.rotations.find(({ to }) => to === keyid)?.statement;
  }

  /** Whether a key is revoked: by the user, or by a list whose issuer is trusted for the plugin. */
  revocationOf(keyid: string, plugin = '*'): Revocation | undefined {
    const own = this.find(keyid)?.revoked;
    if (own !== undefined) return { ...own, issuer: null };
    return this.#listed(plugin, ({ keys }) => keys.find((key) => key.keyid === keyid));
  }

  /** Whether a bundle, by the sha256 of its index, is revoked for a plugin of this name. */
  bundleRevocation(sha256: string, plugin: string): Revocation | undefined {
    return this.#listed(plugin, ({ bundles }) => bundles.find((bundle) => bundle.sha256 === sha256));
  }

  /** The first root key that covers the plugin and whose list is missing or has expired. */
  staleRevocations(
    plugin: string,
    now: Date,
  ): { readonly key: TrustedKey; readonly expires: string | null } | undefined {
    for (const key of this.#keys) {
      const isIssuer = key.role === 'root' && key.revoked === undefined && key.successor === undefined;
      if (!isIssuer || !scopeCovers(key.scopes, plugin)) continue;
      const issuer = this.publisherOf(key.keyid);
      const expires = this.#state.revocations.find((list) => list.issuer === issuer)?.expires ?? null;
      if (expires === null || now.getTime() > Date.parse(expires)) return { key, expires };
    }
    return undefined;
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
  async add(key: KeyToTrust, now: Date, record: RecordChange<TrustedKey> = unrecorded): Promise<TrustedKey> {
    const stored = checkedKey(key, now);
    const { keyid } = stored;
    await this.#change((state) => {
      const { keys } = state;
      const before = keys.find((known) => known.keyid === keyid);
      if (before?.revoked) throw revokedAgain(before);
      const named = keys.find((known) => known.keyid !== keyid && known.name === key.name);
      if (named !== undefined) throw nameTaken(key.name, this.#file);
      record(trustedForm(stored, state.rotations));
      return { ...state, keys: [...keys.filter((known) => known.keyid !== keyid), stored] };
    });
    return this.#known(keyid);
  }

  /** Never trusts this key again. The entry stays, so that what it signed is refused as revoked. KEY_NOT_FOUND. */
  async revoke(
    keyidOrName: string,
    reason: string,
    now: Date,
    record: RecordChange<TrustedKey> = unrecorded,
  ): Promise<TrustedKey> {
    let keyid = keyidOrName;
    await this.#change((state) => {
      const { keys } = state;
      const found = keys.find((key) => key.keyid === keyidOrName) ?? keys.find((key) => key.name === keyidOrName);
      if (found === undefined) throw unknownKey(keyidOrName, keys);
      keyid = found.keyid;
      if (found.revoked !== undefined) return state;
      const revoked = { ...found, revoked: { at: now.toISOString(), reason: reason.slice(0, 400) } };
      record(trustedForm(revoked, state.rotations));
      return { ...state, keys: keys.map((key) => (key === found ? revoked : key)) };
    });
    return this.#known(keyid);
  }

  /**
   * Lets a key that is trusted hand over to another one, which gets its role, its scopes, its expiry and its name. From
   * `cutoverAt` on the old one signs nothing new; what is installed runs on. One that is in force already changes
   * nothing. Throws STATEMENT_UNTRUSTED when the old key is unknown or has another successor, KEY_REVOKED, KEY_EXPIRED.
   */
  async rotate(
    rotation: Rotation,
    now: Date,
    record: RecordChange<{ readonly from: TrustedKey; readonly to: TrustedKey }> = unrecorded,
  ): Promise<{ readonly from: TrustedKey; readonly to: TrustedKey }> {
    const { from, to } = rotation;
    await this.#change((state) => {
      const changed = handOver(state, rotation, { now, revocation: (keyid) => this.revocationOf(keyid) });
      if (changed === state) return state;
      const form = (keyid: string): TrustedKey => {
        const stored = changed.keys.find((key) => key.keyid === keyid);
        return stored === undefined ? this.#known(keyid) : trustedForm(stored, changed.rotations);
      };
      record({ from: form(from.keyid), to: form(to.keyid) });
      return changed;
    });
    return { from: this.#known(from.keyid), to: this.#known(to.keyid) };
  }

  /**
   * Takes a list over. Lists of one issuer only move forward, and what one of them revoked stays revoked when a later
   * one leaves it out. False when it is the one that is in force. Throws REVOCATIONS_OUTDATED, REVOCATIONS_EXPIRED.
   */
  async importRevocations(
    list: RevocationList,
    now: Date,
    record: RecordChange<StoredRevocations> = unrecorded,
  ): Promise<boolean> {
    let isNew = true;
    await this.#change((state) => {
      const issuer = this.publisherOf(list.signedBy.keyid);
      const before = state.revocations.find((known) => known.issuer === issuer);
      const after = merged(before, list, issuer, now);
      isNew = after !== undefined;
      if (after === undefined) return state;
      record(after);
      return { ...state, revocations: [...state.revocations.filter((known) => known !== before), after] };
    });
    return isNew;
  }

  #listed(
    plugin: string,
    find: (list: StoredRevocations) => { readonly reason: string; readonly at: string } | undefined,
  ): Revocation | undefined {
    for (const list of this.#state.revocations) {
      const entry = find(list);
      const issuer = entry && this.find(list.signedBy);
      if (entry !== undefined && issuer !== undefined && scopeCovers(issuer.scopes, plugin)) {
        return { at: entry.at, reason: entry.reason, issuer: issuer.name };
      }
    }
    return undefined;
  }

  #known(keyid: string): TrustedKey {
    const key = this.find(keyid);
    if (key === undefined)
      throw new MmmError('INTERNAL', `The key ${keyid} is gone.`, { detail: `key ${keyid} is gone` });
    return key;
  }

  async #change(change: (state: TrustState) => TrustState): Promise<void> {
    const write = await privateFileWriter();
    try {
      this.#changeNow(change, write);
    } catch (error) {
      const after = 'Nothing in it was changed.';
      throw diskFailure(error, { what: `The trust store ${this.#file}`, file: this.#file, after });
    }
  }

  #changeNow(change: (state: TrustState) => TrustState, write: WritePrivateFile): void {
    mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 });
    // Synchronous from reading to writing: neither this process nor another comes in between.
    const done = withFileLock(`${this.#file}.lock`, () => {
      this.#read();
      const state = change(this.#state);
      if (state === this.#state) return;
      write(this.#file, serialiseTrust({ ...state, revision: this.#state.revision + 1 }));
      this.#read();
    });
    if (done === undefined) throw this.#unreadable('is locked by another process that does not let go');
    this.#seen = fileIdentity(this.#file);
  }

  #read(): void {
    try {
      const bytes = readPrivateFile(this.#file, 0o022);
      const state = bytes === undefined ? emptyTrust : parseTrust(bytes);
      this.#keys = state.keys.map((key) => trustedForm(key, state.rotations));
      this.#state = state;
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

/** Throws KEY_INVALID. */
function checkedKey(key: KeyToTrust, now: Date): StoredKey {
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
  if (checked.success) return checked.data;
  const [issue] = checked.error.issues;
  const reason = `${issue?.path.join('.') ?? ''} ${issue?.message ?? 'is not valid'}`;
  throw new MmmError('KEY_INVALID', `The key ${keyid} cannot be trusted like this: ${reason}.`, { key: keyid, reason });
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
