import { type KeyRole, type SigningKey, scopeCovers, type TrustedKey, type TrustStore } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';

interface WantedKey {
  readonly name: string;
  readonly role: KeyRole;
  readonly scopes: readonly string[];
  readonly notAfter?: string | undefined;
}

/**
 * Refuses, with KEY_EXISTS, what would take something from a key that is trusted already: an own key would stop being
 * one's own in all but name, and what a publisher signed would stop running.
 */
export function assertKeepsTrust(before: TrustedKey, wanted: WantedKey, isOwn: boolean, file: string): void {
  const lost = before.scopes.filter((scope) => !scopeCovers(wanted.scopes, scope));
  const isSame = before.name === wanted.name && before.role === wanted.role && !endsEarlier(before, wanted);
  if (isSame && lost.length === 0 && (!isOwn || sameScopes(before, wanted))) return;
  const what = isOwn ? 'one of your own keys' : 'trusted already';
  const message =
    `The key ${before.keyid} is ${what}, as ${describeTrust(before)}. This would make it ${describeTrust(wanted)}. ` +
    'If you want that, say so (`--replace`; in a program: `replace: true`).';
  throw new MmmError('KEY_EXISTS', message, { key: before.keyid, file });
}

/** `"acme" for acme/*, other until 2027-01-01T00:00:00Z`. */
export function describeTrust({ name, role, scopes, notAfter }: WantedKey): string {
  const as = role === 'publisher' ? '' : ` as ${role}`;
  return `"${name}"${as} for ${scopes.join(', ')}${notAfter === undefined ? '' : ` until ${notAfter}`}`;
}

function sameScopes(before: WantedKey, wanted: WantedKey): boolean {
  return before.scopes.length === wanted.scopes.length && before.scopes.every((one) => wanted.scopes.includes(one));
}

function endsEarlier(before: WantedKey, wanted: WantedKey): boolean {
  if (wanted.notAfter === undefined) return false;
  return before.notAfter === undefined || Date.parse(wanted.notAfter) < Date.parse(before.notAfter);
}

/**
 * Nothing is signed with a key that this machine itself would refuse. `subject` is the plugin or the folder. Throws
 * KEY_REVOKED, KEY_RETIRED, and KEY_ROLE_WRONG for one that is trusted for something else than plugins.
 */
export function assertMaySign(key: SigningKey, subject: string, trust: TrustStore, now: Date): void {
  const whose = `Your key "${key.name}" (${key.fingerprint})`;
  const data = { keyid: key.keyid, plugin: subject };
  const revoked = trust.revocationOf(key.keyid);
  if (revoked !== undefined) {
    const message =
      `${whose} was revoked on ${revoked.at.slice(0, 10)}, so nothing is signed with it. ` +
      'Make another one with: mmm key new --name NAME';
    throw new MmmError('KEY_REVOKED', message, data);
  }
  const trusted = trust.find(key.keyid);
  const successor = trusted?.successor;
  if (successor !== undefined && now.getTime() >= Date.parse(successor.cutoverAt)) {
    const { keyid, cutoverAt } = successor;
    const message =
      `${whose} handed over to the key ${keyid} at ${cutoverAt}, so nothing new is signed with it. ` +
      'Sign with that key: `mmm key list` shows what it is called, `--key NAME` takes it.';
    throw new MmmError('KEY_RETIRED', message, { ...data, successor: keyid, cutoverAt });
  }
  if (trusted === undefined || trusted.role === 'publisher' || trusted.role === 'dev') return;
  const message = `${whose} has the role ${trusted.role}: nobody takes plugins from it. Sign with a publisher's key.`;
  throw new MmmError('KEY_ROLE_WRONG', message, { ...data, role: trusted.role });
}
