import { BlockList, isIP, isIPv4 } from 'node:net';
import { networkHost, parseNetworkHost } from '@mmm/protocol';

/** Where a network permission reaches: what the risk depends on. */
export type HostReach = 'name' | 'address' | 'wildcard' | 'private';

export interface NetworkTarget {
  readonly scheme: string | undefined;
  /** Without brackets and without `*.`. */
  readonly host: string;
  readonly wildcard: boolean;
  /** A number from 1 to 65535, or `*` for every port. */
  readonly port: number | '*';
}

/** Names that mean this machine or its own network, whatever a resolver says. */
const privateSuffixes = [
  'localhost',
  'local',
  'internal',
  'intranet',
  'lan',
  'home',
  'corp',
  'home.arpa',
  'localdomain',
];

const privateRanges = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.0.2.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['198.51.100.0', 24],
  ['203.0.113.0', 24],
  ['224.0.0.0', 3],
] as const) {
  privateRanges.addSubnet(network, prefix, 'ipv4');
}
const publicIpv6 = new BlockList();
publicIpv6.addSubnet('2000::', 3, 'ipv6');
/** Inside 2000::/3, but documentation, or a way to write an IPv4 address (6to4, Teredo). */
const specialIpv6 = new BlockList();
specialIpv6.addSubnet('2001:db8::', 32, 'ipv6');
specialIpv6.addSubnet('2001::', 32, 'ipv6');
specialIpv6.addSubnet('2002::', 16, 'ipv6');

/** Reads `[scheme://]host[:port]`. Returns what is wrong with it, without a full stop, instead of throwing. */
export function parseNetworkTarget(text: string): NetworkTarget | { readonly problem: string } {
  if (!networkHost.safeParse(text).success) return { problem: `"${text}" is not host[:port] with a port up to 65535` };
  const { scheme, host: written, port } = parseNetworkHost(text);
  const wildcard = written.startsWith('*.');
  const bracketed = written.startsWith('[');
  const host = wildcard ? written.slice(2) : bracketed ? written.slice(1, -1) : written;
  if (bracketed && isIP(host) !== 6) return { problem: `"${text}" is not an IPv6 address` };
  const lastLabel = host.slice(host.lastIndexOf('.') + 1);
  if (!bracketed && /^(?:\d+|0x[0-9a-f]*)$/.test(lastLabel) && !isIPv4(host)) {
    return { problem: `"${text}" is an address in an unusual spelling; write it as four decimal numbers` };
  }
  if (wildcard && (isIP(host) !== 0 || !host.includes('.'))) {
    return { problem: `"${text}" covers more than the subdomains of one domain` };
  }
  if (host.length > 253) return { problem: 'the host name is longer than 253 characters' };
  return { scheme, host, wildcard, port };
}

/** Decided by the spelling alone: the proxy checks the address that a name resolves to at each connection. */
export function reachOf(target: NetworkTarget): HostReach {
  const family = isIP(target.host);
  if (family === 4) return privateRanges.check(target.host, 'ipv4') ? 'private' : 'address';
  if (family === 6) {
    const known = publicIpv6.check(target.host, 'ipv6') && !specialIpv6.check(target.host, 'ipv6');
    return known ? 'address' : 'private';
  }
  const isPrivate =
    !target.host.includes('.') ||
    privateSuffixes.some((suffix) => target.host === suffix || target.host.endsWith(`.${suffix}`));
  if (isPrivate) return 'private';
  return target.wildcard ? 'wildcard' : 'name';
}
