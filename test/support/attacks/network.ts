import { type Attack, everywhere, sandboxed } from './row.ts';

const python = 'python' as const;
const egress = 'test/process/egress.test.ts';
const revocation = 'test/process/network-revocation.test.ts';
const smuggling = 'test/unit/host/egress/smuggling.test.ts';
const unit = (name: string): string => `test/unit/host/egress/${name}.test.ts`;
/** Without a network of its own a plugin need not ask the proxy. Under Landlock it gets no socket, and no host. */
const byProxy = { bubblewrap: 'refused', landlock: 'refused', none: 'possible' } as const;

/** The network: around the proxy, through it, and against it. */
export const networkAttacks: readonly Attack[] = [
  {
    id: 'A40',
    attack: 'connects to a service of this machine',
    defence: 'It has a network of its own with nothing in it.',
    outcome: sandboxed,
    error: '`ECONNREFUSED` (Landlock: `EAFNOSUPPORT`)',
    audit: null,
    probes: [
      {
        language: python,
        code: `socket.create_connection(('127.0.0.1', $port), 5).close()`,
        refused: /^error (?:ECONNREFUSED|EAFNOSUPPORT)$/,
        open: /^ok None$/,
      },
      {
        language: 'javascript',
        code: `new Promise((resolve, reject) => {
          const socket = require('node:net').connect($port, '127.0.0.1', () => {
            socket.destroy();
            resolve('connected');
          });
          socket.on('error', reject);
        })`,
        refused: /^error (?:ECONNREFUSED|EAFNOSUPPORT)$/,
        open: /^ok connected$/,
      },
    ],
    elsewhere: [{ file: 'test/process/confinement.test.ts', says: 'neither TCP nor UDP reaches the host' }],
  },
  {
    id: 'A41',
    attack: 'sends to an address of the network without asking anybody, by TCP, UDP or DNS',
    defence: 'Its network has no interface but a loopback, no route, and no resolver.',
    outcome: sandboxed,
    error: '`ENETUNREACH`, `EAI_AGAIN`',
    audit: null,
    probes: [
      {
        language: python,
        code: `socket.create_connection(('$address', $port), 5).close()`,
        refused: /^error (?:ENETUNREACH|ECONNREFUSED|EAFNOSUPPORT)$/,
        open: /^ok None$/,
      },
      {
        language: python,
        code: `socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('$address', $udp))`,
        refused: /^error (?:ENETUNREACH|EAFNOSUPPORT)$/,
        open: /^ok 1$/,
        // Its own loopback, where nobody is.
        onRung: { bubblewrap: /^(?:error ENETUNREACH|ok 1)$/ },
      },
    ],
    elsewhere: [{ file: egress, says: 'nothing gets out past the proxy, and a listener that nobody granted' }],
  },
  {
    id: 'A42',
    attack: 'asks the proxy for a host it was not granted, for the host of another plugin, or on another port',
    defence: 'Each start has a proxy of its own, with its own list, in its own network.',
    outcome: byProxy,
    error: '403 with the reason, SOCKS reply 2, `PermissionDenied` of `fetch`',
    audit: '`refused`',
    elsewhere: [
      { file: egress, says: 'a granted host is reached by tunnel, by plain request and by fetch, and by nothing else' },
      { file: egress, says: 'two plugins of one host each reach their own list only' },
      { file: unit('proxy'), says: 'what was not granted is refused with a reason, recorded, and never connected to' },
    ],
  },
  {
    id: 'A43',
    attack: 'asks for an address that a granted host has, in any spelling: decimal, hexadecimal, octal, mapped',
    defence: 'Every spelling is read as the address it stands for, and addresses are granted as addresses.',
    outcome: byProxy,
    error: '403',
    audit: '`refused`',
    elsewhere: [
      { file: unit('rule'), says: 'every spelling of a host leads to one' },
      { file: unit('socks'), says: 'a name that is a number in disguise is the address it stands for' },
    ],
  },
  {
    id: 'A44',
    attack: 'uses a granted name that leads into your network, to this machine, or to the credentials of a cloud',
    defence: 'The address behind a name is judged, and only a private grant reaches private ones.',
    outcome: byProxy,
    error: '403',
    audit: '`refused`',
    elsewhere: [
      { file: egress, says: 'an address behind a granted name counts, whatever the name' },
      { file: unit('proxy'), says: 'a granted name that leads to this machine is refused without a private grant' },
    ],
  },
  {
    id: 'A45',
    attack: 'has a name change its address between the look and the connection',
    defence: 'A name is resolved once, and what is dialled is the address that was judged.',
    outcome: byProxy,
    error: '403, or the judged address',
    audit: '`refused`',
    elsewhere: [
      { file: unit('egress'), says: 'a name that changes its address between two looks gains nothing by it' },
      { file: unit('resolver'), says: 'a name that changes its address is judged anew each time' },
    ],
  },
  {
    id: 'A46',
    attack: 'writes a host so that two readers read two: NUL, `@`, `%00`, wide dots, endings alike',
    defence: 'A host is lower-case ASCII with one reading; whatever is not is refused.',
    outcome: byProxy,
    error: '400 or 403',
    audit: '`refused`',
    elsewhere: [
      { file: unit('rule'), says: 'what is no host is refused' },
      { file: unit('rule'), says: 'a name in another script is another name, however it looks' },
    ],
  },
  {
    id: 'A47',
    attack: 'hides one request in another: two lengths, odd chunks, another Host, pipelines, bare line ends',
    defence: 'A request is framed anew for the host that was judged; what could be read in two ways is refused.',
    outcome: byProxy,
    error: '400',
    audit: '`refused`',
    elsewhere: [
      { file: smuggling, says: 'a body whose end could be seen in two places is passed on to nobody' },
      { file: smuggling, says: 'the host is what was judged: of the Host header nothing is left' },
      { file: smuggling, says: 'of requests that come together each is judged' },
    ],
  },
  {
    id: 'A48',
    attack: 'holds connections open, or says slowly what it wants',
    defence: 'Each start has 64 connections and ten seconds to ask; others have their own.',
    outcome: everywhere,
    error: '503, or cut',
    audit: null,
    elsewhere: [
      { file: revocation, says: 'a plugin that holds all its connections keeps none from another' },
      { file: unit('socks-door'), says: 'a client that does not say in time what it wants is cut off' },
    ],
  },
  {
    id: 'A49',
    attack: 'keeps using a connection after its permission was taken away',
    defence: 'A revocation cuts everything at once, or within a second from another process.',
    outcome: byProxy,
    error: '(cut)',
    audit: '`revoke`',
    elsewhere: [
      { file: revocation, says: 'what a plugin has open to a host is cut as soon as this host takes it away' },
      { file: revocation, says: 'what another process takes away is cut within a second' },
    ],
  },
  {
    id: 'A50',
    attack: 'puts what it knows into names below a granted wildcard, or into a granted tunnel',
    defence: 'None: a granted host can be told anything. Each target is recorded, and what went there is counted.',
    outcome: { bubblewrap: 'possible', landlock: 'possible', none: 'possible' },
    error: '(nothing)',
    audit: '`connect`, `network`',
    elsewhere: [{ file: unit('egress'), says: 'a wildcard fills the log with so many names and no more' }],
  },
];
