import { type Permission, parseNetworkHost } from '@mmm/protocol';
import { canonicalAddress } from './address.ts';

/** One granted network permission, ready to be compared with what a plugin asks for. */
export interface EgressRule {
  /** As the user granted it: for messages. */
  readonly text: string;
  readonly scheme: string | undefined;
  /** Canonical, without brackets and without `*.`. */
  readonly host: string;
  /** The subdomains of `host`, not itself. */
  readonly wildcard: boolean;
  readonly port: number | '*';
  readonly private: boolean;
}

/** How a connection is asked for. A tunnel carries any protocol, so that its scheme cannot be seen. */
export type RequestScheme = 'http' | 'https' | 'tunnel';

/** What a plugin wants to reach: host canonical, without brackets. */
export interface Target {
  readonly scheme: RequestScheme;
  readonly host: string;
  readonly port: number;
}

const hostCharsMax = 253;
const labelPattern = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

/**
 * The one spelling of a host, or undefined for what no host is. Case, a trailing dot and every number that the WHATWG
 * rules read as an IPv4 address (`127.1`, `0x7f000001`, `2130706433`) are folded, so that none of them gets around a
 * rule. Brackets mark an IPv6 address and are dropped. NUL, `%`, `@`, `\`, spaces, `_` and everything beyond ASCII is
 * refused.
 */
export function canonicalHost(text: string): string | undefined {
  if (text.startsWith('[')) return text.endsWith(']') ? canonicalIpv6(text.slice(1, -1)) : undefined;
  const name = text.toLowerCase().replace(/\.$/, '');
  if (name.length > hostCharsMax || !name.split('.').every((label) => labelPattern.test(label))) return undefined;
  try {
    const { hostname, port } = new URL(`http://${name}/`);
    return port === '' && hostname !== '' ? hostname : undefined;
  } catch {
    return undefined;
  }
}

function canonicalIpv6(text: string): string | undefined {
  return text.includes(':') ? canonicalAddress(text) : undefined;
}

/** Reads `host:port` or `host`. Undefined when it is neither, or when there is no port and no default for it. */
export function parseAuthority(text: string, portDefault?: number): { host: string; port: number } | undefined {
  const [, written, digits] = /^(\[[0-9A-Fa-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/.exec(text) ?? [];
  const host = written === undefined ? undefined : canonicalHost(written);
  const port = digits === undefined ? portDefault : Number(digits);
  if (host === undefined || port === undefined || port < 1 || port > 65_535) return undefined;
  return { host, port };
}

/** `host:port` as it stands in a URL: brackets around IPv6. */
export function formatAuthority(host: string, port: number | '*'): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** The network permissions among what was granted. One that cannot be read exactly allows nothing. */
export function egressRules(granted: readonly Permission[]): EgressRule[] {
  return granted.flatMap((permission) => {
    if (permission.kind !== 'network') return [];
    const { scheme, host: written, port } = parseNetworkHost(permission.host);
    const wildcard = written.startsWith('*.');
    const host = canonicalHost(wildcard ? written.slice(2) : written);
    if (host === undefined || (wildcard && !host.includes('.'))) return [];
    return [{ text: permission.host, scheme, host, wildcard, port, private: permission.private === true }];
  });
}

/** True when the rule is about this host and port, asked for in this way. Addresses are not looked at. */
export function ruleCovers(rule: EgressRule, target: Target): boolean {
  if (rule.port !== '*' && rule.port !== target.port) return false;
  if (!schemeCovers(rule.scheme, target.scheme)) return false;
  return rule.wildcard ? target.host.endsWith(`.${rule.host}`) : target.host === rule.host;
}

/**
 * `http://` is granted to requests that can be read, and not to tunnels. Every other scheme is tunnelled, and what a
 * tunnel carries cannot be seen.
 */
function schemeCovers(granted: string | undefined, asked: RequestScheme): boolean {
  if (granted === undefined) return true;
  if (granted === 'http') return asked === 'http';
  return asked === 'tunnel' || (granted === 'https' && asked === 'https');
}
