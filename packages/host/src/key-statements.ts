import { randomBytes } from 'node:crypto';
import {
  type RevocationContent,
  type Rotation,
  readRevocations,
  readRotation,
  type SigningKey,
  type StoredRevocations,
  signRevocations,
  signRotation,
  type TrustedKey,
} from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import { assertMaySign } from './key-changes.ts';
import { type KeyServices, usualKey } from './key-decisions.ts';
import { type AdoptServices, adoptPublisher } from './publisher-line.ts';

export type StatementServices = KeyServices & AdoptServices;

export interface RotationReport {
  /** The old key, under the name it has now. */
  readonly from: TrustedKey;
  readonly to: TrustedKey;
  /** From then on nothing new is taken from the old key. ISO 8601, UTC. */
  readonly cutoverAt: string;
  /** The signed statement, for those who trust the old key. */
  readonly statement: string;
}

/**
 * Lets a new own key take over from an own key, under its name, and makes the statement with which others follow. The
 * old secret is kept under another name. Throws KEY_NOT_FOUND, and KEY_REVOKED or KEY_RETIRED for one that cannot.
 */
export async function rotateOwnKey(
  name: string | undefined,
  cutoverAt: Date | undefined,
  services: StatementServices,
): Promise<RotationReport> {
  const { keys, trust, audit, now } = services;
  const old = await usualKey(name, services);
  assertMayRotate(old, services);
  const temporary = `${old.name.slice(0, 40)}-next-${randomBytes(4).toString('hex')}`;
  const next = await keys.create(temporary, ({ keyid, fingerprint }) =>
    audit.append({ action: 'key', detail: { event: 'created', keyid, fingerprint, name: old.name } }),
  );
  let isInForce = false;
  try {
    const rotation = await signRotation(old, next, { issuedAt: now(), cutoverAt: cutoverAt ?? now() });
    const report = await accept(rotation, services);
    isInForce = true;
    await keys.replace(old.name, temporary, `${old.name.slice(0, 64 - 9)}-${old.keyid.slice(0, 8)}`);
    return report;
  } finally {
    // From here on the new secret is the only one that signs: it is never thrown away.
    if (!isInForce && trust.find(next.keyid) === undefined) await keys.discard(temporary);
  }
}

function assertMayRotate(old: SigningKey, { trust, now }: StatementServices): void {
  const trusted = trust.find(old.keyid);
  if (trusted === undefined) {
    const message = `Your key "${old.name}" (${old.keyid}) is not trusted here, so there is nothing to hand over.`;
    throw new MmmError('KEY_NOT_FOUND', message, { key: old.name, known: trust.list().map(({ name }) => name) });
  }
  if (trusted.role !== 'root') assertMaySign(old, '', trust, now());
}

/** Takes over the rotation that somebody else made. `file` names it in errors. Throws STATEMENT_*, KEY_*. */
export async function importRotation(text: string, file: string, services: StatementServices): Promise<RotationReport> {
  const accepted = readRotation(text, file).then((rotation) => accept(rotation, services));
  return await recorded('rotation', file, services, accepted);
}

/** A statement that is refused is in the audit log too: somebody tried to change whom this machine trusts. */
function recorded<T>(event: string, file: string, { audit }: KeyServices, work: Promise<T>): Promise<T> {
  return work.catch((error: unknown) => {
    if (error instanceof MmmError) {
      audit.append({ action: 'refused', detail: { event, file, code: error.code, reason: error.message } });
    }
    throw error;
  });
}

async function accept(rotation: Rotation, services: StatementServices): Promise<RotationReport> {
  const { trust, audit, now, trustChanged } = services;
  const { cutoverAt, statement } = rotation;
  const { from, to } = await trust.rotate(rotation, now(), (change) =>
    audit.append({
      action: 'key',
      detail: {
        event: 'rotated',
        name: change.to.name,
        from: { keyid: change.from.keyid, fingerprint: change.from.fingerprint },
        to: { keyid: change.to.keyid, fingerprint: change.to.fingerprint },
        cutoverAt,
      },
    }),
  );
  // Also for one that was in force already: what was interrupted the first time is done now.
  await adoptPublisher(to.keyid, trust.publisherOf(to.keyid), services);
  trustChanged();
  return { from, to, cutoverAt, statement };
}

export interface RevocationsReport {
  /** False when this very list was in force already. */
  readonly isNew: boolean;
  /** What its issuer has revoked so far. */
  readonly list: StoredRevocations;
  readonly issuer: TrustedKey;
}

/** Takes a revocation list over; what it revokes is stopped at once. Throws STATEMENT_*, REVOCATIONS_*, KEY_*. */
export async function importRevocations(text: string, file: string, services: KeyServices): Promise<RevocationsReport> {
  return await recorded('revocations', file, services, acceptRevocations(text, file, services));
}

async function acceptRevocations(text: string, file: string, services: KeyServices): Promise<RevocationsReport> {
  const { trust, audit, now, trustChanged } = services;
  const list = await readRevocations(text, file, { trust, now: now() });
  const { keyid, fingerprint, name } = list.signedBy;
  const isNew = await trust.importRevocations(list, now(), ({ version, expires, keys, bundles }) =>
    audit.append({
      action: 'key',
      detail: {
        event: 'revocations',
        ...{ keyid, fingerprint, name, version, expires, sha256: list.sha256 },
        keys: keys.map((key) => key.keyid),
        bundles: bundles.map((bundle) => bundle.sha256),
      },
    }),
  );
  trustChanged();
  const issuer = trust.publisherOf(keyid);
  const stored = trust.revocations().find((known) => known.issuer === issuer);
  if (stored === undefined) throw new MmmError('INTERNAL', 'The imported list is gone.', { detail: 'list is gone' });
  return { isNew, list: stored, issuer: list.signedBy };
}

export interface RevocationsToIssue {
  /** The own key to sign with: its name. Default: the only own key that is trusted as root. */
  readonly key?: string;
  /** Keys to revoke, by name or keyid. */
  readonly keys: readonly string[];
  /** Bundles to revoke, by the sha256 of their index. */
  readonly bundles: readonly string[];
  readonly reason: string;
  /** When a newer list should be there at the latest. */
  readonly expires: Date;
}

/** The next list of an own root key: all it revoked before and what is new. In force here at once. */
export async function issueRevocations(
  wanted: RevocationsToIssue,
  services: KeyServices,
): Promise<RevocationsReport & { readonly statement: string }> {
  const { trust, now } = services;
  const key = await issuingKey(wanted.key, services);
  const before = trust.revocations().find(({ issuer }) => issuer === trust.publisherOf(key.keyid));
  const { reason } = wanted;
  const keys = wanted.keys.map((one) => ({ keyid: keyidNamed(one, services), reason }));
  const bundles = wanted.bundles.map((sha256) => ({ sha256: sha256.toLowerCase(), reason }));
  const content: RevocationContent = {
    version: (before?.version ?? 0) + 1,
    issuedAt: now().toISOString(),
    expires: wanted.expires.toISOString(),
    keys: unique([...(before?.keys ?? []), ...keys], ({ keyid }) => keyid).map(({ keyid, reason }) => ({
      keyid,
      reason,
    })),
    bundles: unique([...(before?.bundles ?? []), ...bundles], ({ sha256 }) => sha256).map(({ sha256, reason }) => ({
      sha256,
      reason,
    })),
  };
  const statement = await signRevocations(content, key);
  return { ...(await importRevocations(statement, 'the new revocation list', services)), statement };
}

async function issuingKey(name: string | undefined, { keys, trust }: KeyServices): Promise<SigningKey> {
  if (name !== undefined) return await keys.get(name);
  const roots = (await keys.list()).filter(({ keyid }) => {
    const trusted = trust.find(keyid);
    return trusted?.role === 'root' && trusted.successor === undefined;
  });
  const [only, another] = roots;
  if (only !== undefined && another === undefined) return await keys.get(only.name);
  const known = roots.map((key) => key.name);
  const what = only === undefined ? 'You have no key of the role root' : `You have several keys of the role root`;
  const next = only === undefined ? 'Make one with: mmm key new --role root --name NAME' : 'Say which one: --key NAME';
  throw new MmmError('KEY_NOT_FOUND', `${what}, and only such a key revokes. ${next}`, { key: '', known });
}

/** A key of the trust store by name, or any key by its id: it need not be known to be revoked. */
function keyidNamed(key: string, { trust }: KeyServices): string {
  if (/^[0-9a-f]{32}$/.test(key)) return key;
  const known = trust.list();
  const found = known.find(({ name }) => name === key);
  if (found !== undefined) return found.keyid;
  const message = `There is no trusted key called ${JSON.stringify(key)}, and it is no key id of 32 hex digits.`;
  throw new MmmError('KEY_NOT_FOUND', message, { key, known: known.map(({ name }) => name) });
}

function unique<T>(entries: readonly T[], idOf: (entry: T) => string): T[] {
  return [...new Map([...entries].reverse().map((entry) => [idOf(entry), entry])).values()].reverse();
}
