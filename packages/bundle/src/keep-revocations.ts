import { parseTrust, type StoredKey, type StoredRevocations, serialiseTrust, type TrustState } from './trust-file.ts';

/**
 * An older `trust.json` as it may take the place of a newer one: what was revoked since stays revoked, and keys that
 * handed over stay retired. Throws PrivateFileProblem, or whatever a parser throws for a damaged file.
 */
export function keepRevocations(older: Buffer, newer: Buffer | undefined): string {
  const before = parseTrust(older);
  if (newer === undefined) return serialiseTrust(before);
  const now = parseTrust(newer);
  const known = new Set(before.keys.map(({ keyid }) => keyid));
  const rotations = now.rotations.filter(({ from }) => !before.rotations.some((one) => one.from === from));
  const needed = new Set(rotations.flatMap(({ from, to }) => [from, to]));
  return serialiseTrust({
    revision: Math.max(before.revision, now.revision) + 1,
    keys: [
      ...before.keys.map((key) => revokedAs(key, now)),
      ...now.keys.filter(({ keyid, revoked }) => !known.has(keyid) && (revoked !== undefined || needed.has(keyid))),
    ],
    rotations: [...before.rotations, ...rotations],
    revocations: newestLists([...before.revocations, ...now.revocations]),
  });
}

function revokedAs(key: StoredKey, now: TrustState): StoredKey {
  const revoked = key.revoked ?? now.keys.find(({ keyid }) => keyid === key.keyid)?.revoked;
  return revoked === undefined ? key : { ...key, revoked };
}

/** A list only ever grows, so that the one with the highest version holds what the others of its issuer do. */
function newestLists(lists: readonly StoredRevocations[]): readonly StoredRevocations[] {
  const byIssuer = new Map<string, StoredRevocations>();
  for (const list of lists) {
    const known = byIssuer.get(list.issuer);
    if (known === undefined || known.version < list.version) byIssuer.set(list.issuer, list);
  }
  return [...byIssuer.values()];
}
