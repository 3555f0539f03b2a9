import type { HostileRow, Piece } from './row.ts';

type Says = NonNullable<HostileRow['says']>;

const bytes = 'says-bytes';
const strange = 'answers-strangely';
const soon = 400;

const result = (text: string): string => `{"jsonrpc":"2.0","id":$id,"result":${text}}\n`;
const well = result('{"output":"well"}');
const initialize = (text: string): Says => ({ initialize: [result(text)] });
const executes = (...pieces: Piece[]): Says => ({ execute: pieces });
/** A lie in the first breath must not get any further. */
const refused = (that: string, text: string, words: RegExp = /^HANDSHAKE_REFUSED/): HostileRow => {
  return { that, fixture: bytes, says: initialize(text), start: words };
};
/** Whatever comes before it, the answer is one. */
const still = (that: string, ...pieces: Piece[]): HostileRow => {
  return {
    that: `${that} before it answers`,
    fixture: bytes,
    says: executes(...pieces, well),
    calls: ['well', 'well'],
  };
};
/** Something that is no answer leaves the call to its deadline, and the plugin usable. */
const none = (that: string, ...pieces: Piece[]): HostileRow => {
  return { that, fixture: bytes, says: executes(...pieces), calls: ['CALL_TIMEOUT', 'CALL_TIMEOUT'], timeoutMs: soon };
};
const fails = (that: string, code: string | RegExp, ...pieces: Piece[]): HostileRow => {
  return { that, fixture: bytes, says: executes(...pieces), calls: [code, code] };
};
/** The first ids have one digit. */
const framed = (text: string, length: number | string = Buffer.byteLength(text.replace('$id', '1'))): string =>
  `Content-Length: ${length}\r\n\r\n${text}`;

/** Lies in the answer to initialize, and what is said before it. */
export const helloRows: readonly HostileRow[] = [
  refused(
    'speaks version 2',
    '{"protocol":{"version":2,"features":[]}}',
    /^HANDSHAKE_REFUSED speaks protocol version 2/,
  ),
  refused('speaks its version as a text', '{"protocol":{"version":"1","features":[]}}'),
  refused('speaks version 1.5', '{"protocol":{"version":1.5,"features":[]}}'),
  refused('speaks a version below zero', '{"protocol":{"version":-1,"features":[]}}'),
  refused('speaks version 1e999', '{"protocol":{"version":1e999,"features":[]}}'),
  refused('has features that are no list', '{"protocol":{"version":1,"features":{"length":3}}}'),
  refused(
    'has a name of another',
    '{"plugin":{"name":"git","version":"1.0.0"}}',
    /^HANDSHAKE_REFUSED says it is "git"/,
  ),
  refused('has another version', '{"plugin":{"name":"$name","version":"9.9.9"}}'),
  refused('has a capability nobody signed', '{"capabilities":[{"kind":"tool","name":"root"}]}', /does not declare/),
  refused('has a kind of capability that is none', '{"capabilities":[{"kind":"__proto__","name":"run"}]}'),
  refused('answers hello with null', 'null'),
  refused('answers hello with a list', '[]'),
  refused('answers hello with a text', '"yes"'),
  {
    that: 'answers hello with an error',
    fixture: bytes,
    says: { initialize: ['{"jsonrpc":"2.0","id":$id,"error":{"code":-32000,"message":"no"}}\n'] },
    start: /^HANDSHAKE_REFUSED/,
  },
  {
    that: 'answers hello under another id',
    fixture: bytes,
    says: { initialize: ['{"jsonrpc":"2.0","id":999,"result":{}}\n'] },
    manifest: '[limits]\nstart_timeout_s = 1',
    start: 'START_TIMEOUT',
  },
  {
    that: 'never answers hello',
    fixture: bytes,
    says: { initialize: [] },
    manifest: '[limits]\nstart_timeout_s = 1',
    start: 'START_TIMEOUT',
  },
  {
    that: 'answers hello with 20 MB',
    fixture: bytes,
    says: { initialize: ['{"jsonrpc":"2.0","id":$id,"result":{"x":"', ['x', 20_000_000], '"}}\n'] },
    start: /^(HANDSHAKE_REFUSED|START_TIMEOUT)/,
  },
  ...['initialize', 'execute', 'shutdown', 'get_state', 'fetch', 'request_permission', '__proto__', 'constructor'].map(
    (method): HostileRow => ({
      that: `asks the host for ${method} before hello`,
      fixture: bytes,
      says: { initialize: [`{"jsonrpc":"2.0","id":1,"method":"${method}","params":{}}\n`, result('{}')] },
      start: /^HANDSHAKE_REFUSED/,
    }),
  ),
  {
    that: 'asks the host right behind its answer to hello, which it may',
    fixture: bytes,
    says: { initialize: [result('{}'), '{"jsonrpc":"2.0","id":1,"method":"no_such_thing"}\n'] },
  },
  {
    that: 'answers hello twice',
    fixture: bytes,
    says: { initialize: [result('{}'), result('{"protocol":{"version":2,"features":[]}}')] },
    log: /^duplicate_reply/,
  },
  {
    that: 'has a hundred thousand features',
    fixture: bytes,
    says: {
      initialize: [
        '{"jsonrpc":"2.0","id":$id,"result":{"protocol":{"version":1,"features":["ping"',
        [',"f"', 100_000],
        ']}}}\n',
      ],
    },
    start: /^(ok|HANDSHAKE_REFUSED)/,
  },
  {
    that: 'prints a banner and answers calls nobody made before hello',
    fixture: bytes,
    says: { first: ['Hello!\n', '{"jsonrpc":"2.0","id":0,"result":{}}\n{"jsonrpc":"2.0","id":1,"result":{}}\n'] },
    start: /./,
  },
];

/** What stands where an answer should, in it and around it. */
export const answerRows: readonly HostileRow[] = [
  { that: 'answers late', fixture: strange, words: 'late', calls: ['CALL_TIMEOUT'], timeoutMs: 200 },
  { that: 'answers twice', fixture: strange, words: 'twice', calls: ['well', 'well', 'well'], log: /^duplicate_reply/ },
  { that: 'never answers', fixture: strange, words: 'never', calls: ['CALL_TIMEOUT'], timeoutMs: soon },
  { that: 'answers one byte a millisecond', fixture: strange, words: 'bit-by-bit', calls: ['well', 'well'] },
  { that: 'answers with 100 MB', fixture: strange, words: 'hugely', calls: ['MESSAGE_TOO_LARGE', 'MESSAGE_TOO_LARGE'] },
  { that: 'answers by half', fixture: strange, words: 'half', calls: ['CALL_TIMEOUT'], timeoutMs: soon },
  {
    that: 'answers a thousand calls in advance',
    fixture: strange,
    words: 'in-advance',
    calls: ['well', 'well', 'well'],
  },
  {
    that: 'answers two calls with the answer of the other',
    fixture: strange,
    words: 'in-exchange',
    calls: ['second', 'first'],
    together: true,
  },

  fails('answers with no output', 'RESULT_INVALID', result('{}')),
  fails('answers with null', 'RESULT_INVALID', result('null')),
  fails('answers with a list', 'RESULT_INVALID', result('[1]')),
  fails('answers with an error without a message', 'RESULT_INVALID', '{"jsonrpc":"2.0","id":$id,"error":{"code":1}}\n'),
  fails(
    'answers with an error of a million lines',
    'CALL_REJECTED',
    '{"jsonrpc":"2.0","id":$id,"error":{"code":1,"message":"',
    ['\\n', 1_000_000],
    '"}}\n',
  ),
  fails(
    'is too deep',
    'MESSAGE_TOO_LARGE',
    '{"jsonrpc":"2.0","id":$id,"result":{"output":',
    ['[', 100_000],
    [']', 100_000],
    '}}\n',
  ),
  fails(
    'has too much structure',
    'MESSAGE_TOO_LARGE',
    '{"jsonrpc":"2.0","id":$id,"result":{"output":[',
    ['{},', 900_000],
    '1]}}\n',
  ),
  fails('answers with an error that is a text', 'RESULT_INVALID', '{"jsonrpc":"2.0","id":$id,"error":"no"}\n'),
  fails(
    'answers with result and error',
    'CALL_REJECTED',
    '{"jsonrpc":"2.0","id":$id,"result":{"output":1},"error":{"code":1,"message":"m"}}\n',
  ),
  fails('answers with neither result nor error', 'RESULT_INVALID', '{"jsonrpc":"2.0","id":$id}\n'),
  none('answers under its id as a text', '{"jsonrpc":"2.0","id":"$id","result":{"output":"evil"}}\n'),
  none('answers under a list with its id', '{"jsonrpc":"2.0","id":[$id],"result":{"output":"evil"}}\n'),
  none('answers under null', '{"jsonrpc":"2.0","id":null,"result":{"output":"evil"}}\n'),
  fails('answers in JSON-RPC 1.0', 'RESULT_INVALID', '{"jsonrpc":"1.0","id":$id,"result":{"output":"evil"}}\n'),
  none('answers with NaN', result('{"output":NaN}')),
  none('answers in a batch', '[{"jsonrpc":"2.0","id":$id,"result":{"output":"evil"}}]\n'),
  none('answers in quotes', '"{\\"jsonrpc\\":\\"2.0\\",\\"id\\":$id,\\"result\\":{}}"\n'),
  fails(
    'answers with bytes that are no UTF-8',
    'RESULT_INVALID',
    '{"jsonrpc":"2.0","id":$id,"result":{"output":"',
    3,
    '"}}\n',
  ),
  none('announces more than it says', framed('{"jsonrpc":"2.0","id":$id,"result":{"output":"evil"}}', 5_000)),
  none('announces what nobody can hold', framed('{"jsonrpc":"2.0"}', 99_999_999_999)),

  still(
    'writes __proto__',
    result('{"output":{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}}').replace('$id', '4711'),
  ),
  still('announces -5 bytes', framed('{}', -5), '\n'),
  still('announces 12abc bytes', framed('{}', '12abc'), '\n'),
  still('writes a byte order mark', '\ufeff'),
  still('writes a lone surrogate', '"\\ud800"\n'),
  still('writes bytes that are no text', 100_000, '\n'),
  still('writes a megabyte of open brackets', ['[', 1_000_000], '\n'),
  still('writes a megabyte of open braces and keys', ['{"a":', 200_000], '\n'),
  still('writes a number of a million digits', '{"jsonrpc":"2.0","id":', ['9', 1_000_000], ',"result":{}}\n'),
  still(
    'writes a message without an end',
    '{"jsonrpc":"2.0","method":"log","params":{"message":"',
    ['x', 20_000_000],
    '\n',
  ),
  still('asks for a method of a million letters', '{"jsonrpc":"2.0","id":5,"method":"', ['m', 1_000_000], '"}\n'),
  still(
    'asks under an id of a million letters',
    '{"jsonrpc":"2.0","id":"',
    ['i', 1_000_000],
    '","method":"get_state"}\n',
  ),
  still('asks under the id of the call', '{"jsonrpc":"2.0","id":$id,"method":"get_state","params":{}}\n'),
  still('asks for host methods of the other direction', '{"jsonrpc":"2.0","id":1,"method":"execute","params":{}}\n'),
  still('cancels what is not its own', '{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":$id}}\n'),
  still('reports progress that is none', '{"jsonrpc":"2.0","method":"$/progress","params":{"token":"x","value":[]}}\n'),
  still('sends empty batches', ['[]\n', 2_000]),
  still('sends lines that end in many ways', '\r\n\r\r\n\n\u0000\n\u2028\n'),
  {
    that: 'answers calls in the other framing',
    fixture: bytes,
    says: executes(framed('{"jsonrpc":"2.0","id":$id,"result":{"output":"well"}}')),
    calls: ['well', 'well'],
  },
  {
    that: 'says a key twice',
    fixture: bytes,
    says: executes('{"jsonrpc":"2.0","id":4711,"id":$id,"result":{"output":"evil"},"result":{"output":"well"}}\n'),
    calls: ['well', 'well'],
  },
  {
    that: 'puts __proto__ into its answer',
    fixture: bytes,
    says: executes(result('{"output":"well","__proto__":{"polluted":1}}')),
    calls: ['well', 'well'],
  },
  {
    that: 'answers with numbers that no double holds',
    fixture: bytes,
    says: executes(result('{"output":[1e999,-1e999,0.1e-999]}')),
    calls: [/./, /./],
  },
];
