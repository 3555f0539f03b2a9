import { type Attack, everywhere } from './row.ts';

const wire = 'test/support/hostile/wire.ts';
const revocation = 'test/process/network-revocation.test.ts';
const hostileWire = 'test/process/hostile-wire.test.ts';

/** What a plugin says and does not say. It is the same however it is confined. */
export const protocolAttacks: readonly Attack[] = [
  {
    id: 'A60',
    attack: 'prints text, escape sequences, or 100 MB without a newline where its messages belong',
    defence: 'What is no message is a line of its log; a line has a length; reading is linear and in turns.',
    outcome: everywhere,
    error: '(its call goes on)',
    audit: null,
    elsewhere: [
      { file: hostileWire, says: 'a stray print is a log line and costs no call' },
      { file: hostileWire, says: '100 MB without a newline is cut, memory stays flat' },
    ],
  },
  {
    id: 'A61',
    attack: 'announces lengths that are none: negative, huge, twice, as words',
    defence: 'Headers are read by a parser of our own that finds its way back to the next message.',
    outcome: everywhere,
    error: '`CALL_TIMEOUT`, `MESSAGE_TOO_LARGE`',
    audit: null,
    elsewhere: [
      { file: 'test/unit/rpc/frame-parser.test.ts', says: 'random bytes never throw' },
      { file: wire, says: 'Content-Length' },
    ],
  },
  {
    id: 'A62',
    attack: 'sends a hundred thousand brackets, or a million keys',
    defence: 'Depth and structure are counted before JSON is parsed.',
    outcome: everywhere,
    error: '`MESSAGE_TOO_LARGE`, `RESULT_INVALID`',
    audit: null,
    elsewhere: [
      { file: 'test/unit/rpc/bounded-reader.test.ts', says: 'a message of brackets or of keys is refused before' },
      { file: 'test/unit/rpc/json-guard.test.ts', says: 'depth is counted outside strings only' },
    ],
  },
  {
    id: 'A63',
    attack: 'sends keys such as `__proto__`, however they are spelt',
    defence: 'Such keys are removed at every depth before anybody sees them.',
    outcome: everywhere,
    error: '(removed)',
    audit: null,
    elsewhere: [
      { file: 'test/unit/rpc/json-guard.test.ts', says: 'keys that could change a prototype are removed' },
      { file: wire, says: 'puts __proto__ into its answer' },
    ],
  },
  {
    id: 'A64',
    attack: 'answers what nobody asked, twice, or with the id of another call',
    defence: 'The first answer to a call counts; the rest is dropped and counted.',
    outcome: everywhere,
    error: '(dropped)',
    audit: null,
    elsewhere: [
      { file: hostileWire, says: 'unknown and repeated ids are dropped and named in the log' },
      { file: wire, says: 'answers two calls with the answer of the other' },
    ],
  },
  {
    id: 'A65',
    attack: 'sends bytes that are no UTF-8, halves of characters, NUL',
    defence: 'They are replaced or refused, and what is shown is escaped.',
    outcome: everywhere,
    error: '`RESULT_INVALID`, or replaced',
    audit: null,
    elsewhere: [{ file: hostileWire, says: 'null, 42, [], bad UTF-8 and absurd depth are each named in the log' }],
  },
  {
    id: 'A66',
    attack: 'never reads what it is sent',
    defence: 'What waits for it is bounded; then it is no longer written to.',
    outcome: everywhere,
    error: '`CALL_TIMEOUT`, `BUSY`',
    audit: null,
    elsewhere: [{ file: hostileWire, says: 'a plugin that never reads stdin gets a bounded queue' }],
  },
  {
    id: 'A67',
    attack: 'answers after the deadline or after the call was cancelled',
    defence: 'The call is settled; the answer is dropped.',
    outcome: everywhere,
    error: '(dropped)',
    audit: null,
    elsewhere: [
      { file: wire, says: 'answers late' },
      { file: 'test/unit/rpc/connection.test.ts', says: 'tells the peer, and its late answer is dropped' },
    ],
  },
  {
    id: 'A68',
    attack: 'asks the host ten thousand things at once, or starts a circle of events or messages',
    defence: 'So many requests are handled at a time, the rest is answered `Busy`; circles have a depth.',
    outcome: everywhere,
    error: '`Busy`',
    audit: null,
    elsewhere: [
      { file: 'test/unit/rpc/incoming-requests.test.ts', says: 'handlers run side by side up to the limit' },
      { file: 'test/unit/rpc/bounded-writer.test.ts', says: 'a peer that asks and does not read the answers' },
      { file: 'test/process/events.test.ts', says: 'events that lead to each other without end are stopped' },
      { file: 'test/process/plugins-talk.test.ts', says: 'who would wait for itself is told the chain at once' },
      { file: 'test/process/plugins-talk.test.ts', says: 'a storm of messages is cut off' },
    ],
  },
  {
    id: 'A69',
    attack: 'says it is another plugin, another version, or has more to offer than was signed',
    defence: 'The answer to `initialize` is compared with the verified manifest.',
    outcome: everywhere,
    error: '`HANDSHAKE_REFUSED`',
    audit: null,
    elsewhere: [
      { file: wire, says: 'has a name of another' },
      { file: wire, says: 'has a capability nobody signed' },
    ],
  },
  {
    id: 'A70',
    attack: 'says in an event or a message that it is the host or another plugin',
    defence: 'Whose a message is the host knows from the connection it came by; what is in it is not asked.',
    outcome: everywhere,
    error: '`PermissionDenied`, `InvalidParams`',
    audit: null,
    elsewhere: [
      {
        file: 'test/process/events.test.ts',
        says: 'no plugin can say what the host, the program or another plugin says',
      },
      { file: 'test/process/plugins-talk.test.ts', says: 'a message starts its receiver, says from whom it is' },
    ],
  },
  {
    id: 'A71',
    attack: 'asks the host for what it was not granted, or goes on when it was taken away',
    defence: 'The host looks at the grants at each request.',
    outcome: everywhere,
    error: '`PermissionDenied`',
    audit: '`refused`',
    elsewhere: [
      { file: 'test/unit/host/permit/enforce.test.ts', says: 'what is not is refused with what would allow it' },
      { file: revocation, says: 'what a plugin has open to a host is cut as soon as this host takes it away' },
      { file: 'test/process/clients.test.ts', says: 'a revocation holds from the next request of a running plugin on' },
    ],
  },
  {
    id: 'A72',
    attack: 'never finishes its first word, or says it a byte at a time',
    defence: 'The start has a deadline.',
    outcome: everywhere,
    error: '`START_TIMEOUT`',
    audit: null,
    elsewhere: [
      { file: 'test/process/lifecycle.test.ts', says: 'silence past the start deadline fails the launch' },
      { file: wire, says: 'never answers hello' },
    ],
  },
  {
    id: 'A73',
    attack: 'answers with megabytes, a thousand times',
    defence: 'An answer has a size; what comes faster than the rate of its output waits in the pipe.',
    outcome: everywhere,
    error: '`MESSAGE_TOO_LARGE`, or slower',
    audit: null,
    elsewhere: [
      { file: 'test/unit/rpc/token-bucket.test.ts', says: 'what a peer writes over its rate waits in the pipe' },
      { file: wire, says: 'answers with 100 MB' },
    ],
  },
];
