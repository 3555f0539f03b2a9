import { isIP } from 'node:net';
import { type AddressKind, addressKind } from './address.ts';
import { type EgressRule, formatAuthority, ruleCovers, type Target } from './rule.ts';

/** Why a connection was refused: for programs. */
export type RefusalReason = 'malformed' | 'not_granted' | 'address' | 'unresolved' | 'not_supported' | 'unrecorded';

export interface Refusal {
  readonly allowed: false;
  readonly reason: RefusalReason;
  /** What was refused, why, and what would allow it. */
  readonly message: string;
}

export type Verdict = { readonly allowed: true; readonly addresses: readonly string[] } | Refusal;

/** The rules that cover a target by its name. A name that none covers is not even resolved. */
export function coveringRules(rules: readonly EgressRule[], target: Target): readonly EgressRule[] {
  return rules.filter((rule) => ruleCovers(rule, target));
}

/**
 * Rules × host × port × resolved addresses. Pure. Allowed are exactly those addresses that may be dialled: public ones,
 * and private and loopback ones when a covering rule says `private`. Where clouds serve credentials, at link-local and
 * some other addresses, is never reached by a name: a private rule must spell out the address itself.
 */
export function decide(rules: readonly EgressRule[], target: Target, addresses: readonly string[]): Verdict {
  const covering = coveringRules(rules, target);
  if (covering.length === 0) return notGranted(rules, target);
  const isPrivate = covering.some((rule) => rule.private);
  const isLiteral = isIP(target.host) !== 0;
  const open = addresses.filter((address) => isOpen(addressKind(address), isPrivate, isLiteral));
  if (open.length > 0) return { allowed: true, addresses: open };
  if (addresses.length === 0) return unresolved(target, 'it has no address');
  const kinds = [...new Set(addresses.map(addressKind))].map((kind) => kindNames[kind]).join(' and ');
  const way = isPrivate ? '' : ' Private addresses need a grant with `private = true`.';
  return {
    allowed: false,
    reason: 'address',
    message: `${nameOf(target)} leads to ${kinds}, which the grant does not include.${way}`,
  };
}

function isOpen(kind: AddressKind, isPrivate: boolean, isLiteral: boolean): boolean {
  if (kind === 'public') return true;
  if (kind === 'private' || kind === 'loopback') return isPrivate;
  return (kind === 'link_local' || kind === 'metadata') && isPrivate && isLiteral;
}

const kindNames: Readonly<Record<AddressKind, string>> = {
  public: 'a public address',
  private: 'a private address',
  loopback: 'an address of this machine',
  link_local: 'a link-local address',
  metadata: 'an address where clouds serve credentials',
  special: 'a reserved address',
};

export function notGranted(rules: readonly EgressRule[], target: Target): Refusal {
  const list = rules.map(({ text }) => text);
  const shown = list.slice(0, 5).join(', ') + (list.length > 5 ? ` and ${list.length - 5} more` : '');
  const has = list.length === 0 ? 'It was granted no host.' : `Granted: ${shown}.`;
  return {
    allowed: false,
    reason: 'not_granted',
    message: `${nameOf(target)} is not among the hosts this plugin was granted. ${has}`,
  };
}

export function malformed(text: string): Refusal {
  // Quoted by JSON and cut: what is refused may hold anything.
  const quoted = JSON.stringify(text.slice(0, 200));
  return { allowed: false, reason: 'malformed', message: `${quoted} is not a target this proxy can read.` };
}

/** Nothing is reached that could not be written into the audit log first. */
export function unrecorded(target: Target): Refusal {
  const message = `${nameOf(target)} was not connected to: the audit log of the host cannot be written.`;
  return { allowed: false, reason: 'unrecorded', message };
}

export function unresolved(target: Target, why: string): Refusal {
  return { allowed: false, reason: 'unresolved', message: `${target.host} could not be resolved: ${why}.` };
}

/** `http://h:80`, or `h:443` for what may be anything. */
export function nameOf({ scheme, host, port }: Target): string {
  return `${scheme === 'tunnel' ? '' : `${scheme}://`}${formatAuthority(host, port)}`;
}
