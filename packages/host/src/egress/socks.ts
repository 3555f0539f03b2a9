import { canonicalAddress } from './address.ts';
import { canonicalHost } from './rule.ts';

/** The first byte of a client that speaks SOCKS 5 (RFC 1928); no HTTP request begins with it. */
export const socksVersion = 5;

/** What the server answers, of RFC 1928. */
export const socksReplies = {
  succeeded: 0,
  general_failure: 1,
  not_allowed: 2,
  network_unreachable: 3,
  host_unreachable: 4,
  connection_refused: 5,
  command_not_supported: 7,
  address_type_not_supported: 8,
} as const;
export type SocksReply = keyof typeof socksReplies;

/** A piece of the negotiation: whole, with the bytes it took; not there yet; or not to be read at all. */
export type SocksReading<T> =
  | { readonly kind: 'whole'; readonly value: T; readonly bytes: number }
  | { readonly kind: 'more' }
  | { readonly kind: 'invalid'; readonly reply: SocksReply; readonly why: string };

/** No negotiation is longer: a greeting with 255 methods, or a request with a name of 255 bytes. */
export const socksPieceBytesMax = 262;

const methods = { none: 0, unacceptable: 0xff } as const;
const commands = { connect: 1, bind: 2, udpAssociate: 3 } as const;
const addressTypes = { ipv4: 1, name: 3, ipv6: 4 } as const;

/** Reads the first message of a client. The value says whether it is content without a password. */
export function readSocksGreeting(bytes: Buffer): SocksReading<boolean> {
  const [version, count] = bytes;
  if (version === undefined || count === undefined) return { kind: 'more' };
  if (version !== socksVersion) return invalid('general_failure', 'it does not begin with version 5');
  if (bytes.length < 2 + count) return { kind: 'more' };
  return { kind: 'whole', value: bytes.subarray(2, 2 + count).includes(methods.none), bytes: 2 + count };
}

/** What is said to a greeting. */
export function socksChoice(accepted: boolean): Buffer {
  return Buffer.from([socksVersion, accepted ? methods.none : methods.unacceptable]);
}

/** Reads what a client asks for: a host in its canonical spelling, without brackets, and a port. */
export function readSocksRequest(bytes: Buffer): SocksReading<{ readonly host: string; readonly port: number }> {
  const [version, command, reserved, type, length] = bytes;
  if (version !== undefined && version !== socksVersion) return invalid('general_failure', 'it is not of version 5');
  if (command === commands.bind || command === commands.udpAssociate) {
    const name = command === commands.bind ? 'BIND' : 'UDP ASSOCIATE';
    return invalid('command_not_supported', `${name} is not offered, only CONNECT is`);
  }
  if (command !== undefined && command !== commands.connect) {
    return invalid('command_not_supported', 'its command is unknown');
  }
  if (reserved !== undefined && reserved !== 0) return invalid('general_failure', 'its reserved byte is not 0');
  if (type === undefined) return { kind: 'more' };
  if (type !== addressTypes.ipv4 && type !== addressTypes.name && type !== addressTypes.ipv6) {
    return invalid('address_type_not_supported', 'its type of address is unknown');
  }
  if (length === undefined) return { kind: 'more' };
  const start = type === addressTypes.name ? 5 : 4;
  const end = start + (type === addressTypes.name ? length : type === addressTypes.ipv4 ? 4 : 16);
  if (bytes.length < end + 2) return { kind: 'more' };
  const host = hostOf(type, bytes.subarray(start, end));
  const port = bytes.readUInt16BE(end);
  if (host === undefined || port === 0) return invalid('general_failure', 'its address is no host and port');
  return { kind: 'whole', value: { host, port }, bytes: end + 2 };
}

/** What is said to a request. The address it is reached from is the host's own matter: zeros stand for it. */
export function socksAnswer(reply: SocksReply): Buffer {
  return Buffer.from([socksVersion, socksReplies[reply], 0, addressTypes.ipv4, 0, 0, 0, 0, 0, 0]);
}

function hostOf(type: number, bytes: Buffer): string | undefined {
  // A byte beyond ASCII stays one that no name has.
  if (type === addressTypes.name) return canonicalHost(bytes.toString('latin1'));
  if (type === addressTypes.ipv4) return canonicalAddress(bytes.join('.'));
  const groups = Array.from({ length: 8 }, (_, index) => bytes.readUInt16BE(index * 2).toString(16));
  return canonicalAddress(groups.join(':'));
}

function invalid(reply: SocksReply, why: string): Extract<SocksReading<never>, { kind: 'invalid' }> {
  return { kind: 'invalid', reply, why };
}
