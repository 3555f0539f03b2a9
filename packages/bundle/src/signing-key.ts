import { MmmError } from '@mmm/protocol';
import type { TrustedKey } from './trust-file.ts';
import type { Revocation, TrustStore } from './trust-store.ts';
import { scopeCovers } from './trust-store.ts';

/** What decides whether a key vouches for a plugin; `VerifyOptions` says what each part means. */
interface Wanted {
  readonly name: string;
  readonly trust: TrustStore;
  readonly now: Date;
  readonly developmentKeys?: boolean | undefined;
  readonly retiredKeys?: boolean | undefined;
  readonly currentRevocations?: boolean | undefined;
  readonly publisher?: string | null | undefined;
}

/** Of several keys that do not vouch, the error of the first in this order is the one that helps. */
const order = ['KEY_REVOKED', 'KEY_RETIRED', 'KEY_EXPIRED', 'KEY_OUT_OF_SCOPE', 'KEY_ROLE_WRONG'] as const;
type KeyProblem = MmmError<(typeof order)[number]>;

/**
 * Of the keys whose signatures hold one that vouches for the plugin now: of its publisher if there is one among them,
 * else the first. Throws why none does.
 */
export function chooseKey(keyids: readonly string[], wanted: Wanted): TrustedKey {
  const problems: KeyProblem[] = [];
  const good: TrustedKey[] = [];
  for (const keyid of keyids) {
    const key = wanted.trust.find(keyid);
    if (key === undefined) continue;
    const problem = problemOf(key, wanted);
    if (problem === undefined) good.push(key);
    else problems.push(problem);
  }
  const { publisher, trust } = wanted;
  const chosen = good.find(({ keyid }) => trust.publisherOf(keyid) === publisher) ?? good[0];
  if (chosen !== undefined) return chosen;
  const [first] = problems.sort((left, right) => order.indexOf(left.code) - order.indexOf(right.code));
  throw first ?? untrusted(wanted.name, keyids);
}

function problemOf(key: TrustedKey, wanted: Wanted): KeyProblem | undefined {
  const { name, trust, now, developmentKeys = false, retiredKeys = false } = wanted;
  const { keyid, role, scopes, notAfter, successor } = key;
  const whose = `Plugin "${name}" is signed with the key ${key.name} (${key.fingerprint})`;
  const data = { keyid, plugin: name };
  const revoked = trust.revocationOf(keyid, name);
  if (revoked !== undefined) {
    const next = "Install a version signed with the publisher's new key.";
    const message = `${whose}, which was revoked ${saidBy(revoked)}. ${next}`;
    return new MmmError('KEY_REVOKED', message, data);
  }
  if (role !== 'publisher' && !(role === 'dev' && developmentKeys)) {
    const message = `${whose}, which is trusted as ${role}, not as a publisher of plugins.`;
    return new MmmError('KEY_ROLE_WRONG', message, { ...data, role });
  }
  if (!scopeCovers(scopes, name)) {
    const message =
      `${whose}, which is trusted for ${scopes.join(', ')} only. If its owner may publish this plugin too, run ` +
      '`mmm key trust` with its public key and this scope.';
    return new MmmError('KEY_OUT_OF_SCOPE', message, { ...data, scopes });
  }
  if (notAfter !== undefined && now.getTime() > Date.parse(notAfter)) {
    const message = `${whose}, which expired at ${notAfter}. Ask its owner, then trust it again with a later date.`;
    return new MmmError('KEY_EXPIRED', message, { ...data, notAfter });
  }
  if (successor !== undefined && !retiredKeys && now.getTime() >= Date.parse(successor.cutoverAt)) {
    const message =
      `${whose}, which handed over to the key ${successor.keyid} at ${successor.cutoverAt}: nothing new is taken ` +
      "from the old one. Get the plugin signed with the publisher's new key.";
    return new MmmError('KEY_RETIRED', message, {
      ...data,
      successor: successor.keyid,
      cutoverAt: successor.cutoverAt,
    });
  }
  return undefined;
}

function untrusted(plugin: string, keyids: readonly string[]): MmmError<'SIGNATURE_UNTRUSTED'> {
  return new MmmError(
    'SIGNATURE_UNTRUSTED',
    `Plugin "${plugin}" is signed, but not by a key you trust: ${keyids.join(', ')} ` +
      `${keyids.length === 1 ? 'is' : 'are'} not in the trust store. Check the fingerprint with the publisher, then ` +
      'run `mmm key trust`.',
    { plugin, keyids },
  );
}

/** Throws BUNDLE_REVOKED, and REVOCATIONS_EXPIRED where current lists are asked for. Also for what is not signed. */
export function assertNotRevoked(
  bundleSha256: string,
  wanted: Pick<Wanted, 'name' | 'trust' | 'now' | 'currentRevocations'>,
): void {
  const { name, trust, now, currentRevocations = false } = wanted;
  trust.refresh();
  const revoked = trust.bundleRevocation(bundleSha256, name);
  if (revoked !== undefined) throw bundleRevoked(name, bundleSha256, revoked);
  const stale = currentRevocations ? trust.staleRevocations(name, now) : undefined;
  if (stale === undefined) return;
  const { key, expires } = stale;
  const what =
    expires === null
      ? `no revocation list of ${key.name} was ever imported`
      : `that of ${key.name} expired at ${expires}`;
  throw new MmmError(
    'REVOCATIONS_EXPIRED',
    `Plugin "${name}" is refused, because this machine asks for a current revocation list and ${what}. Get the ` +
      'newest list and run `mmm key revocations import FILE`.',
    { issuer: key.name, expires: expires ?? '' },
  );
}

/**
 * Why what was launched must not run on: its content was revoked or, for a signed one, the key that vouched for it does
 * so no more. That the key expired or handed over counts at the next start only: nobody decided against what runs.
 */
export function withdrawn(
  plugin: { readonly name: string; readonly bundleSha256: string; readonly keyid: string | undefined },
  trust: TrustStore,
): MmmError | undefined {
  const { name, bundleSha256, keyid } = plugin;
  const revoked = trust.bundleRevocation(bundleSha256, name);
  if (revoked !== undefined) return bundleRevoked(name, bundleSha256, revoked);
  if (keyid === undefined) return undefined;
  const key = trust.find(keyid);
  if (key === undefined) return untrusted(name, [keyid]);
  return problemOf(key, { name, trust, now: new Date(0), retiredKeys: true, developmentKeys: true });
}

function bundleRevoked(plugin: string, bundleSha256: string, revocation: Revocation): MmmError<'BUNDLE_REVOKED'> {
  return new MmmError(
    'BUNDLE_REVOKED',
    `This content of plugin "${plugin}" (${bundleSha256}) was revoked ${saidBy(revocation)}. Install another version.`,
    { plugin, bundleSha256, reason: revocation.reason },
  );
}

function saidBy({ at, reason, issuer }: Revocation): string {
  return `at ${at}${issuer === null ? '' : ` by ${issuer}`}: ${reason}`;
}
