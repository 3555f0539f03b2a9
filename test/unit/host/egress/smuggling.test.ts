import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { launchProxy, statusOf } from '../../../support/launch-proxy.ts';

interface Heard {
  readonly port: number;
  /** Every byte that arrived, connection by connection. */
  readonly heard: readonly string[];
}

/** A server that keeps what it hears as it came and answers each connection once, with `reply`. */
async function recorder(t: TestContext, reply = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'): Promise<Heard> {
  const heard: string[] = [];
  const server = createServer((socket) => {
    const index = heard.push('') - 1;
    socket.on('error', () => undefined);
    socket.setEncoding('latin1').on('data', (data) => {
      if (heard[index] === '') socket.write(reply);
      heard[index] = (heard[index] ?? '') + data;
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return { port: (server.address() as { port: number }).port, heard };
}

const postTo = (port: number): string =>
  `POST http://h.test:${port}/ HTTP/1.1\r\nHost: h.test\r\nConnection: close\r\n`;
const evil = 'GET http://other.test/evil HTTP/1.1\r\nHost: other.test\r\n\r\n';

test('a body whose end could be seen in two places is passed on to nobody', async (t) => {
  const { port, heard } = await recorder(t);
  const { send } = await launchProxy(t, [`h.test:${port}`]);
  const post = (...lines: string[]): Promise<string> => send(`${postTo(port)}${lines.join('\r\n')}\r\n\r\n${evil}`);
  for (const lines of [
    ['Content-Length: 4', 'Transfer-Encoding: chunked'],
    ['Transfer-Encoding: chunked', 'Content-Length: 4'],
    ['Content-Length: 4', 'Content-Length: 5'],
    ['Content-Length: 4', 'Content-Length: 4'],
    ['Content-Length: 4, 4'],
    ['Content-Length: +4'],
    ['Content-Length: -4'],
    ['Content-Length: 0x4'],
    ['Content-Length: 4 4'],
    ['Content-Length : 4'],
    ['Content-Length: 99999999999999999999999'],
    ['Transfer-Encoding: xchunked'],
    ['Transfer-Encoding: identity'],
    ['Transfer-Encoding: chunked, identity'],
    ['Transfer-Encoding: gzip, chunked'],
    ['Transfer-Encoding: chunked', 'Transfer-Encoding: chunked'],
    ['Transfer-Encoding : chunked'],
    ['Transfer-Encoding:\x0bchunked'],
    ['Transfer-Encoding:', ' chunked'],
    ['X: 1', ' Transfer-Encoding: chunked', 'Content-Length: 4', 'Transfer-Encoding: chunked'],
    ['X: 1\rTransfer-Encoding: chunked'],
    ['X: 1\0'],
    ['X\0: 1'],
    [': 1'],
    ['no colon'],
  ]) {
    const answer = await post(...lines);
    assert.equal(statusOf(answer), 400, `${JSON.stringify(lines)}: ${answer.slice(0, 80)}`);
  }
  assert.deepEqual(heard, []);
  const fine = await send(
    `POST http://h.test:${port}/ HTTP/1.1\r\nHost: h.test\r\nContent-Length: 4\r\nConnection: close\r\n\r\nbody`,
  );
  assert.equal(statusOf(fine), 200, 'the control');
  assert.equal(heard.length, 1);
});

test('chunks that are none, and lines that end in another way, carry nothing along', async (t) => {
  const { port, heard } = await recorder(t);
  const { send } = await launchProxy(t, [`h.test:${port}`]);
  const head = `${postTo(port)}Transfer-Encoding: chunked\r\n\r\n`;
  for (const body of [
    'x\r\n',
    '-1\r\n',
    '0x4\r\nbody\r\n0\r\n\r\n',
    '4\r\nbodyX\r\n',
    'ffffffffffffffffff\r\n',
    '4\nbody\n0\n\n',
  ]) {
    await send(`${head}${body}${evil}`);
  }
  for (const text of heard) {
    assert.doesNotMatch(text, /evil/);
    assert.doesNotMatch(text, /0\r\n\r\n$/, 'what broke off does not look complete');
  }
  const extension = await send(`${head}4;name="value"\r\nbody\r\n0\r\nTrailer: x\r\n\r\n`);
  assert.equal(statusOf(extension), 200);
  assert.ok(heard.at(-1)?.endsWith('\r\n\r\n4\r\nbody\r\n0\r\n\r\n'), 'framed anew, without extension and trailer');
});

test('the host is what was judged: of the Host header nothing is left', async (t) => {
  const { port, heard } = await recorder(t);
  const own = `h.test:${port}`;
  const { send, refused } = await launchProxy(t, [own]);
  const line = `GET http://${own}/ HTTP/1.1\r\n`;
  assert.equal(statusOf(await send(`${line}Host: other.test\r\nConnection: close\r\n\r\n`)), 200);
  assert.equal(statusOf(await send(`${line}Host: h.test, other.test\r\nConnection: close, host\r\n\r\n`)), 200);
  assert.equal(heard.length, 2);
  for (const text of heard) assert.deepEqual(text.match(/^host: .*$/gim), [`host: ${own}`]);
  assert.equal(statusOf(await send(`${line}Host: h.test\r\nHost: other.test\r\n\r\n`)), 400, 'RFC 9112, section 3.2');
  assert.equal(statusOf(await send(`${line}Host: h.test\r\nhOST: h.test\r\n\r\n`)), 400);
  assert.equal(statusOf(await send(`${line}\r\n`)), 400, 'none');
  assert.equal(statusOf(await send(`CONNECT ${own} HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n`)), 400);
  assert.equal(heard.length, 2);
  assert.deepEqual(refused, [
    `asker http://${own} malformed`,
    `asker http://${own} malformed`,
    `asker ${own} malformed`,
  ]);
});

test('a CONNECT request with content is refused, since nobody agrees what its content is', async (t) => {
  const { port, heard } = await recorder(t);
  const { send } = await launchProxy(t, [`h.test:${port}`]);
  const connect = (more: string): Promise<string> => send(`CONNECT h.test:${port} HTTP/1.1\r\nHost: h\r\n${more}`);
  assert.equal(statusOf(await connect(`Content-Length: ${evil.length}\r\n\r\n${evil}`)), 400);
  assert.equal(statusOf(await connect(`Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n${evil}`)), 400);
  assert.deepEqual(heard, []);
});

test('of requests that come together each is judged, before and after one that is refused', async (t) => {
  const { port, heard } = await recorder(t);
  const own = `h.test:${port}`;
  const { send, refused } = await launchProxy(t, [own]);
  const get = (host: string, path: string, more = ''): string =>
    `GET http://${host}${path} HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;
  const other = `other.test:${port}`;
  await send(get(own, '/1') + get(other, '/2') + get(own, '/3', 'Connection: close\r\n'));
  await send(get(other, '/4') + get(own, '/5') + get(other, '/6', 'Connection: close\r\n'));
  // Of a connection whose client was cut nothing is sent, though it may have been made.
  const said = heard.filter((text) => text !== '');
  const reached = said.map((text) => /^GET (\S+) /.exec(text)?.[1]);
  assert.ok(reached.includes('/1'), 'the control');
  for (const path of ['/2', '/4', '/6']) assert.ok(!reached.includes(path), path);
  for (const text of said) assert.deepEqual(text.match(/^host: .*$/gm), [`host: ${own}`]);
  assert.ok(refused.length >= 2 && refused.every((line) => line === `asker http://${other} not_granted`));
});

test('a refused request takes its body with it', async (t) => {
  const { port, heard } = await recorder(t);
  const { send } = await launchProxy(t, [`h.test:${port}`]);
  const inner = `GET http://h.test:${port}/inner HTTP/1.1\r\nHost: h.test\r\nConnection: close\r\n\r\n`;
  const answer = await send(
    `POST http://other.test:${port}/ HTTP/1.1\r\nHost: h\r\nContent-Length: ${inner.length}\r\n\r\n${inner}`,
  );
  assert.deepEqual(answer.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 403']);
  assert.deepEqual(heard, []);
});

test('a server cannot change the protocol, answer twice, or hide an answer in a header', async (t) => {
  for (const [reply, expected] of [
    ['HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nsecret', 502],
    ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 6\r\n\r\nokHTTP', 502],
    ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n', 502],
    ['HTTP/1.1 200 OK\r\nX: 1\rSet-Cookie: a=1\r\nContent-Length: 2\r\n\r\nok', 502],
    ['HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nsecond', 200],
    ['not HTTP at all\r\n\r\n', 502],
  ] as const) {
    const { port } = await recorder(t, reply);
    const { send } = await launchProxy(t, [`h.test:${port}`]);
    const answer = await send(`GET http://h.test:${port}/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`);
    assert.equal(statusOf(answer), expected, JSON.stringify(reply));
    assert.doesNotMatch(answer, /secret|second|Set-Cookie/i);
  }
});

test('what is neither a request nor a greeting is refused, whatever its bytes are', async (t) => {
  const { port, heard } = await recorder(t);
  const { send } = await launchProxy(t, [`h.test:${port}`]);
  for (const bytes of [
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    `GET http://h.test:${port}/\r\n\r\n`,
    `GET http://h.test:${port}/ HTTP/0.9\r\n\r\n`,
    `GET http://h.test:${port}/ HTTP/3.7\r\nHost: h\r\n\r\n`,
    `\u0000GET http://h.test:${port}/ HTTP/1.1\r\nHost: h\r\n\r\n`,
    Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]),
    Buffer.from([0x06, 0x01, 0x00]),
    'x'.repeat(100_000),
  ]) {
    const answer = await send(bytes);
    assert.ok([400, 403, 431].includes(statusOf(answer)), JSON.stringify(bytes.slice(0, 40)));
  }
  assert.deepEqual(heard, []);
});
