import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { test } from 'node:test';
import type { Framing } from '@mmm/protocol';
import { FrameParser, type FrameSink } from '../../../packages/rpc/src/frame-parser.ts';
import { framed } from '../../support/raw-peer.ts';

const limits = { messageBytes: 8 * 1024 * 1024, headerBytes: 4096, logLineBytes: 65_536, idSearchBytes: 4096 };

class Recorder implements FrameSink {
  readonly events: string[] = [];
  message(bytes: Buffer, framing: Framing): boolean {
    try {
      JSON.parse(bytes.toString());
    } catch {
      return false;
    }
    this.events.push(`${framing === 'ndjson' ? 'line' : 'frame'} ${bytes.toString().trim()}`);
    return true;
  }
  stray(bytes: Buffer, length: number, cut: boolean): void {
    this.events.push(cut ? `cut ${bytes.length} of ${length}` : `stray ${bytes.toString()}`);
  }
  oversized(bytes: Buffer, framing: Framing): void {
    this.events.push(`oversized ${framing} ${bytes.toString('utf8', 0, 12)}`);
  }
  partial(bytes: Buffer): void {
    this.events.push(`partial ${bytes.toString()}`);
  }
}

function parse(chunks: Iterable<string | Buffer>, overrides: Partial<typeof limits> = {}): string[] {
  const recorder = new Recorder();
  const parser = new FrameParser({ ...limits, ...overrides }, recorder);
  for (const chunk of chunks) {
    parser.push(Buffer.from(chunk as string));
    while (parser.step());
  }
  parser.end();
  return recorder.events;
}

function bytewise(text: string): Buffer[] {
  return [...Buffer.from(text)].map((byte) => Buffer.from([byte]));
}

/** Every case is parsed as one chunk and byte by byte; nothing may depend on how the bytes were cut. */
function check(name: string, text: string, expected: string[], overrides: Partial<typeof limits> = {}): void {
  test(name, () => {
    assert.deepEqual(parse([text], overrides), expected);
    assert.deepEqual(parse(bytewise(text), overrides), expected);
  });
}

check('lines and frames may alternate', `{"a":1}\n${framed('{"b":2}')}${framed('{"c":3}')}{"d":4}\r\n\r\n\n`, [
  'line {"a":1}',
  'frame {"b":2}',
  'frame {"c":3}',
  'line {"d":4}',
]);
check('a stray line keeps its indentation and loses its return', '  at main.py:3\r\nhello\n{"a":1}\n', [
  'stray   at main.py:3',
  'stray hello',
  'line {"a":1}',
]);
check('a line that looks like JSON and is not is a stray line', '[INFO] up\n{not json}\n{"a":1}\n', [
  'stray [INFO] up',
  'stray {not json}',
  'line {"a":1}',
]);
check('a message may be indented and follow a byte order mark', '\ufeff{"a":1}\n  {"b":2}\n', [
  'line {"a":1}',
  'line {"b":2}',
]);
check(
  'other headers beside the length are allowed',
  'Content-Type: x; charset=utf-8\r\nContent-Length: 7\r\n\r\n{"a":1}',
  ['frame {"a":1}'],
);
check('a length that is no plain number makes the header a stray line', 'Content-Length: 12abc\r\n\r\n{"a":1}\n', [
  'stray Content-Length: 12abc',
  'line {"a":1}',
]);
for (const length of ['-5', '0', '007', '4000000000', '1e3', '']) {
  check(`a length of "${length}" makes the header a stray line`, `Content-Length: ${length}\n\n{"a":1}\n`, [
    `stray Content-Length: ${length}`,
    'line {"a":1}',
  ]);
}
check('a second length starts a new header', 'Content-Length: 99\nContent-Length: 7\n\n{"a":1}{"b":2}\n', [
  'stray Content-Length: 99',
  'frame {"a":1}',
  'line {"b":2}',
]);
check('a header without a length is stray lines', 'Content-Type: text/html\nX-Y: z\n\n<p>\n{"a":1}\n', [
  'stray Content-Type: text/html',
  'stray X-Y: z',
  'stray <p>',
  'line {"a":1}',
]);
check(
  'a printed header with another body than JSON does not swallow what follows',
  'Content-Length: 99\n\n<p>\n{"a":1}\n',
  ['stray Content-Length: 99', 'stray <p>', 'line {"a":1}'],
);
check('a header line that is a message is a message', 'Content-Length: 99\n{"a":1}\n', [
  'stray Content-Length: 99',
  'line {"a":1}',
]);
check(
  'a header block over its limit is stray lines',
  `Content-Length: 7\n${'X-A: b\n'.repeat(10)}\n{"a":1}\n`,
  [
    'stray Content-Length: 7',
    ...Array.from({ length: 3 }, () => 'stray X-A: b'),
    ...Array.from({ length: 7 }, () => 'stray X-A: b'),
    'line {"a":1}',
  ],
  { headerBytes: 40 },
);
check(
  'a print without a newline before a header costs no message',
  `loading...${framed('{"a":1}')}${framed('{"b":2}')}`,
  ['stray loading...', 'frame {"a":1}', 'frame {"b":2}'],
);
check(
  'a length counted in characters costs that message only',
  `Content-Length: 7\r\n\r\n{"é":1}${framed('{"b":2}')}`,
  ['stray {"é":1', 'stray }', 'frame {"b":2}'],
);
check('a long stray line is cut and counted', `${'a'.repeat(100)}\n{"a":1}\n`, ['cut 10 of 100', 'line {"a":1}'], {
  logLineBytes: 10,
});
check(
  'an oversized line is told at once and skipped',
  `{"x":"${'a'.repeat(100)}"}\n{"a":1}\n`,
  ['oversized ndjson {"x":"aaaaaa', 'line {"a":1}'],
  { messageBytes: 50, logLineBytes: 20 },
);
check(
  'an oversized frame is told at once and skipped',
  `${framed(`{"x":"${'a\n'.repeat(50)}"}`)}{"a":1}\n`,
  ['oversized content-length {"x":"a\na\na\n', 'line {"a":1}'],
  { messageBytes: 50, idSearchBytes: 30 },
);
check('a last line without a newline is still a message', '{"a":1}', ['line {"a":1}']);
check('a last line without a newline is still a stray line', 'bye', ['stray bye']);
check('half a line at the end is named', '{"a":', ['partial {"a":']);
check('half a frame at the end is named', 'Content-Length: 99\r\n\r\n{"a":1}', ['partial {"a":1}']);
check('half a header at the end is a stray line', 'Content-Length: 99\r\n', ['stray Content-Length: 99']);
check('a skipped line at the end is counted', 'a'.repeat(100), ['cut 10 of 100'], { logLineBytes: 10 });
check('nothing gives nothing', '', []);

test('any mixture of both framings and stray lines is read the same however the bytes are cut', () => {
  let seed = 20260101;
  const random = (below: number): number => {
    seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
    return seed % below;
  };
  const strays = [
    'npm warn deprecated x',
    'DEBUG: hello: world',
    '50%',
    '{not json}',
    '[1] ok?',
    'Content-Type is cool',
    'ünï',
  ];
  for (let round = 0; round < 3000; round++) {
    const expected: string[] = [];
    let text = '';
    for (let count = 1 + random(12); count > 0; count--) {
      const json = JSON.stringify({ id: count, result: 'é\n"x'.repeat(random(30)) });
      const kind = random(5);
      if (kind < 2) {
        text += framed(json);
        expected.push(`frame ${json}`);
      } else if (kind < 4) {
        text += `${json}${random(2) === 0 ? '\n' : '\r\n'}`;
        expected.push(`line ${json}`);
      } else {
        const line = strays[random(strays.length)] as string;
        text += `${line}\n`;
        expected.push(`stray ${line}`);
      }
    }
    const bytes = Buffer.from(text);
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
      const to = at + 1 + random(random(2) === 0 ? 5 : 200);
      chunks.push(bytes.subarray(at, to));
      at = to;
    }
    assert.deepEqual(parse(chunks), expected, `round ${round}: ${JSON.stringify(text)}`);
  }
});

test('random bytes never throw, and a message after a newline is always found', () => {
  let seed = 7;
  const alphabet = Buffer.from('{}[]":,\\\r\n\n aC:1ontent-Length: 5\u00e9');
  for (let round = 0; round < 2000; round++) {
    const bytes = Buffer.alloc(200);
    for (let at = 0; at < bytes.length; at++) {
      seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
      bytes[at] = round % 2 === 0 ? (seed >> 8) & 0xff : (alphabet[(seed >> 8) % alphabet.length] as number);
    }
    const events = parse([bytes, '\n{"found":1}\n']);
    assert.equal(events.at(-1), 'line {"found":1}', bytes.toString('latin1'));
  }
});

test('work is linear: chunks, single bytes, one huge chunk, quotes and backslashes', () => {
  const started = performance.now();
  const size = 8 * 1024 * 1024;
  for (const [unit, prefix] of [
    ['a', ''],
    ['a', '{"x":"'],
    ['\\"', '{"x":"'],
    ['\r', '{'],
    ['\n', ''],
    ['a\n', ''],
  ] as const) {
    const all = Buffer.from(prefix + unit.repeat((unit === 'a\n' ? 500_000 : size) / unit.length));
    const chunks: Buffer[] = [];
    for (let at = 0; at < all.length; at += 65_536) chunks.push(all.subarray(at, at + 65_536));
    assert.ok(parse(chunks).length > -1);
    assert.ok(parse([all]).length > -1);
  }
  assert.ok(parse(bytewise('{'.repeat(200_000))).length === 1);
  // Quadratic work would take minutes; this guards against that, not against a slow machine.
  assert.ok(performance.now() - started < 30_000);
});
