import { type SigningKey, scopeCovers, type TrustedKey, type TrustStore } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';

interface WantedKey {
  readonly name: string;
  readonly scopes: readonly string[];
}

/**
 * Refuses, with KEY_EXISTS, what would take something from a key that is trusted already: an own key would stop being
 * one's own in all but name, and what a publisher signed would stop running.
 */
export function assertKeepsTrust(before: TrustedKey, wanted: WantedKey, isOwn: boolean, file: string): void {
  const lost = before.scopes.filter((scope) => !scopeCovers(wanted.scopes, scope));
  if (before.name === wanted.name && lost.length === 0 && (!isOwn || sameScopes(before, wanted))) return;
  const what = isOwn ? 'one of your own keys' : 'trusted already';
  const message =
    `The key ${before.keyid} is ${what}, as ${describeTrust(before)}. This would make it ${describeTrust(wanted)}. ` +
    'If you want that, say so (`--replace`; in a program: `replace: true`).';
  throw new MmmError('KEY_EXISTS', message, { key: before.keyid, file });
}

/** `"acme" for acme/*, other`. */
export function describeTrust({ name, scopes }: WantedKey): string {
  return `"${name}" for ${scopes.join(', ')}`;
}

function sameScopes(before: WantedKey, wanted: WantedKey): boolean {
  return before.scopes.length === wanted.scopes.length && before.scopes.every((one) => wanted.scopes.includes(one));
}

/** Nothing is signed with a key that this machine itself would refuse. Throws KEY_REVOKED. */
export function assertMaySign(key: SigningKey, plugin: string, trust: TrustStore): void {
  const revoked = trust.find(key.keyid)?.revoked;
  if (revoked === undefined) return;
  throw new MmmError(
    'KEY_REVOKED',
    `Your key "${key.name}" (${key.keyid}) was revoked on ${revoked.at.slice(0, 10)}, so nothing is signed with it. ` +
      'Make another one with: mmm key new --name NAME',
    { keyid: key.keyid, plugin },
  );
}
