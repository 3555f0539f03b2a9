import { isIP } from 'node:net';
import ipaddr from 'ipaddr.js';

/** What stands behind an address. Only `public` is open to every grant; `private` and `loopback` to private ones. */
export type AddressKind = 'public' | 'private' | 'loopback' | 'link_local' | 'special';

const loopback = new Set(['loopback']);
const privateNetworks = new Set(['private', 'uniqueLocal', 'carrierGradeNat']);
/** Where IPv6 allots addresses to the Internet: all else is reserved, whatever a list of today says about it. */
const internet = ipaddr.IPv6.parseCIDR('2000::/3');
/** IPv6 networks whose last 32 bits are an IPv4 address, to which the packets go. */
const carriers = ['::/96', '::ffff:0:0/96', '::ffff:0:0:0/96', '64:ff9b::/96'].map((text) =>
  ipaddr.IPv6.parseCIDR(text),
);

/**
 * Says what an address is, from the address alone. An IPv4 address that is written as IPv6 counts as itself. What is
 * unclear is `special`: unspecified, multicast, reserved, tunnels, and text that is no address or names an interface.
 */
export function addressKind(text: string): AddressKind {
  if (isIP(text) === 0 || text.includes('%')) return 'special';
  const address = ipaddr.parse(text);
  if (address instanceof ipaddr.IPv4) return kindOfRange(address.range());
  const range = address.range();
  if (range === 'unspecified' || range === 'loopback') return kindOfRange(range);
  if (carriers.some((network) => address.match(network))) {
    return kindOfRange(new ipaddr.IPv4(address.toByteArray().slice(12)).range());
  }
  const kind = kindOfRange(range);
  return kind === 'public' && !address.match(internet) ? 'special' : kind;
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
