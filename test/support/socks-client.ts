import { isIPv4, isIPv6 } from 'node:net';

/** A greeting that offers these methods; 0 is none. */
export function socksGreeting(...methods: number[]): Buffer {
  return Buffer.from([5, methods.length, ...methods]);
}

/** A CONNECT request: to an IPv4 address, to an IPv6 address with all its groups, or else to a name. */
export function socksRequest(host: string, port: number, command = 1): Buffer {
  const ends = Buffer.from([port >> 8, port & 0xff]);
  if (isIPv4(host)) return Buffer.concat([Buffer.from([5, command, 0, 1, ...host.split('.').map(Number)]), ends]);
  if (isIPv6(host)) {
    const groups = host.split(':').flatMap((group) => [...Buffer.from(group.padStart(4, '0'), 'hex')]);
    if (groups.length !== 16) throw new Error(`${host} is to be written out`);
    return Buffer.concat([Buffer.from([5, command, 0, 4, ...groups]), ends]);
  }
  return socksNameRequest(host, port, command);
}

/** A request for what is handed over as a name, whatever it looks like. One character is one byte. */
export function socksNameRequest(text: string, port: number, command = 1): Buffer {
  const name = Buffer.from(text, 'latin1');
  const ends = Buffer.from([port >> 8, port & 0xff]);
  return Buffer.concat([Buffer.from([5, command, 0, 3, name.length]), name, ends]);
}

/** The code of the answer to a request, of what came back since the greeting; undefined when there was none. */
export function socksReplyOf(answer: string): number | undefined {
  return answer.startsWith('\x05\x00\x05') ? answer.charCodeAt(3) : undefined;
}
