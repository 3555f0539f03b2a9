import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/**
 * What stands behind an address. Only `public` is open to every grant; `private` and `loopback` to private ones;
 * `link_local` and `metadata` to private ones that spell out the address.
 */
export type AddressKind = 'public' | 'private' | 'loopback' | 'link_local' | 'metadata' | 'special';

const loopback = new Set(['loopback']);
const privateNetworks = new Set(['private', 'uniqueLocal', 'carrierGradeNat']);
/** Where IPv6 allots addresses to the Internet: all else is reserved, whatever a list of today says about it. */
const internet = ipaddr.IPv6.parseCIDR('2000::/3');
/** IPv6 networks whose last 32 bits are an IPv4 address, to which the packets go. */
const carriers = ['::/96', '::ffff:0:0/96', '::ffff:0:0:0/96', '64:ff9b::/96'].map((text) =>
  ipaddr.IPv6.parseCIDR(text),
);
/**
 * Where clouds serve credentials to whoever asks, outside the link-local networks: AWS and Google over IPv6, Azure at
 * an address that looks public, Alibaba at one that looks private.
 */
const metadata = ['fd00:ec2::/32', 'fd20:ce::/32', '168.63.129.16/32', '100.100.100.200/32'].map((text) =>
  ipaddr.parseCIDR(text),
);
/** Interface identifiers that hold an IPv4 address to which ISATAP (RFC 5214) tunnels, below any prefix. */
const isatapIdentifiers = new Set([0x0000_5efe, 0x0200_5efe]);

/**
 * Says what an address is, from the address alone. An IPv4 address that is written as IPv6 counts as itself. What is
 * unclear is `special`: unspecified, multicast, reserved, tunnels, and text that is no address or names an interface.
 */
export function addressKind(text: string): AddressKind {
  if (isIP(text) === 0 || text.includes('%')) return 'special';
  const address = ipaddr.parse(text);
  if (address instanceof ipaddr.IPv4) return kindOfIpv4(address);
  const range = address.range();
  if (range === 'unspecified' || range === 'loopback') return kindOfRange(range);
  if (carriers.some((network) => address.match(network))) {
    return kindOfIpv4(new ipaddr.IPv4(address.toByteArray().slice(12)));
  }
  if (isMetadata(address)) return 'metadata';
  const kind = kindOfRange(range);
  return kind === 'public' && (!address.match(internet) || isTunnelled(address)) ? 'special' : kind;
}

function kindOfIpv4(address: ipaddr.IPv4): AddressKind {
  return isMetadata(address) ? 'metadata' : kindOfRange(address.range());
}

function isMetadata(address: ipaddr.IPv4 | ipaddr.IPv6): boolean {
  return metadata.some((network) => address.kind() === network[0].kind() && address.match(network));
}

function isTunnelled({ parts }: ipaddr.IPv6): boolean {
  return isatapIdentifiers.has((parts[4] ?? 0) * 0x1_0000 + (parts[5] ?? 0));
}

function kindOfRange(range: string): AddressKind {
  if (range === 'unicast') return 'public';
  if (loopback.has(range)) return 'loopback';
  if (privateNetworks.has(range)) return 'private';
  return range === 'linkLocal' ? 'link_local' : 'special';
}

/** One spelling for each address, without brackets: `::1` for `0:0::1`. Undefined for what is no address. */
export function canonicalAddress(text: string): string | undefined {
  if (isIP(text) === 0 || text.includes('%')) return undefined;
  return ipaddr.parse(text).toString();
}
