import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { type TestContext, test } from 'node:test';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { FakeClock, settled } from '../../../support/fake-clock.ts';
import { launchProxy } from '../../../support/launch-proxy.ts';
import { tcpListener } from '../../../support/listener.ts';
import { socksGreeting, socksReplyOf, socksRequest } from '../../../support/socks-client.ts';

/** Says what it was told when the other side has said all. */
async function echoServer(t: TestContext): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    socket.on('end', () => socket.end(`echo ${text}`));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  return (server.address() as { port: number }).port;
}

const succeeded = '\x05\x00\x05\x00\x00\x01\x00\x00\x00\x00\x00\x00';

test('a SOCKS client reaches a granted host by its name, also when all it says comes at once', async (t) => {
  const port = await echoServer(t);
  const { open, allowed, summaries, network, door } = await launchProxy(t, [`h.test:${port}`]);
  const talk = async (pieces: readonly Buffer[]): Promise<string> => {
    let answer = '';
    const socket = open().on('data', (data) => {
      answer += data;
    });
    for (const piece of pieces) await new Promise((resolve) => socket.write(piece, resolve));
    socket.end();
    await once(socket, 'close');
    return answer;
  };
  const everything = Buffer.concat([socksGreeting(0), socksRequest('H.test.', port), Buffer.from('early')]);
  assert.equal(await talk([everything]), `${succeeded}echo early`);
  const bytes = [...everything].map((byte) => Buffer.from([byte]));
  assert.equal(await talk(bytes), `${succeeded}echo early`, 'byte by byte');
  assert.deepEqual(allowed, [`h.test:${port}`], 'recorded once');
  door.close();
  network.ended();
  assert.deepEqual(summaries[0]?.allowed, [
    { target: `h.test:${port}`, connections: 2, bytesSent: 10, bytesReceived: 20 },
  ]);
});

test('what was not granted gets the reply for it, is recorded, and is never connected to', async (t) => {
  const server = await tcpListener(t);
  const { port } = server;
  const { send, refused } = await launchProxy(
    t,
    [`h.test:${port}`, 'closed.test:1', 'missing.test', `http://web.test:${port}`],
    {
      lookup: async (host) => {
        if (host === 'missing.test') throw Object.assign(new Error('gone'), { code: 'ENOTFOUND' });
        return ['127.0.0.1'];
      },
    },
  );
  const reply = async (host: string, to = port, command = 1): Promise<number | undefined> =>
    socksReplyOf(await send(socksGreeting(0), socksRequest(host, to, command)));
  assert.equal(await reply('other.test'), 2);
  assert.equal(await reply('h.test', 443), 2);
  assert.equal(await reply('127.0.0.1'), 2, 'an address is not the name that leads to it');
  assert.equal(await reply('0:0:0:0:0:0:0:1'), 2);
  assert.equal(await reply('0:0:0:0:0:ffff:7f00:1'), 2);
  assert.equal(await reply('web.test'), 2, 'a grant for http is for requests that can be read');
  assert.equal(await reply('missing.test', 443), 4);
  assert.equal(await reply('closed.test', 1), 5);
  assert.equal(await reply('h.test', port, 2), 7, 'BIND');
  assert.equal(await reply('h.test', port, 3), 7, 'UDP ASSOCIATE');
  assert.equal(await reply('h.test\0.evil.test'), 1);
  assert.equal(server.received(), 0);
  assert.deepEqual(refused, [
    `asker other.test:${port} not_granted`,
    'asker h.test:443 not_granted',
    `asker 127.0.0.1:${port} not_granted`,
    `asker [::1]:${port} not_granted`,
    `asker [::ffff:7f00:1]:${port} not_granted`,
    `asker web.test:${port} not_granted`,
    'asker missing.test:443 unresolved',
    ...Array.from({ length: 3 }, () => 'asker (unreadable) malformed'),
  ]);
  assert.equal(await reply('h.test'), 0, 'the control: the listener is there');
  assert.equal(server.received(), 1);
});

test('a granted name that leads to this machine is refused without a private grant', async (t) => {
  const server = await tcpListener(t);
  const { send, refused } = await launchProxy(t, [`h.test:${server.port}`], { isPrivate: false });
  assert.equal(socksReplyOf(await send(socksGreeting(0), socksRequest('h.test', server.port))), 2);
  assert.deepEqual(refused, [`asker h.test:${server.port} address`]);
  assert.equal(server.received(), 0);
});

test('a client that wants a password, or speaks an older version, is turned away', async (t) => {
  const { send, refused } = await launchProxy(t, ['h.test']);
  assert.equal(await send(socksGreeting(2, 1)), '\x05\xff');
  assert.equal(await send(socksGreeting()), '\x05\xff');
  const fourth = await send(Buffer.from([4, 1, 1, 187, 0, 0, 0, 1, 0]));
  assert.match(fourth, /^HTTP\/1\.1 400 /, 'what is not version 5 is taken for HTTP');
  assert.deepEqual(refused, ['asker (unreadable) malformed', 'asker (unreadable) malformed']);
});

test('a client that does not say in time what it wants is cut off, in either protocol', async (t) => {
  const clock = new FakeClock();
  const { open, refused } = await launchProxy(t, ['h.test'], { clock });
  const request = Buffer.from('GET http://h.test/ HTTP/1.1\r\nHost: h.test\r\n');
  for (const [start, more] of [
    ['', ''],
    ['G', 'E'],
    [request, 'X'],
    [Buffer.from([5]), '\x09'],
    [socksGreeting(0), '\x05'],
    [Buffer.from([5, 1, 0, 5, 1, 0, 3, 9]), 'h'],
  ] as const) {
    const client = open().on('error', () => undefined);
    client.write(start);
    const closed = once(client.resume(), 'close');
    while (clock.waiting === 0) await settled();
    // The last byte but one of a slow client comes right before the end.
    await clock.advance(hostLimits.proxyHeaderTimeoutMs - 1);
    client.write(more);
    await settled();
    assert.equal(client.destroyed, false, String(start));
    await clock.advance(1);
    await closed;
    assert.equal(clock.waiting, 0);
  }
  const half = open();
  half.end(Buffer.from([5, 1, 0, 5, 1, 0, 3, 9]));
  half.resume();
  await once(half, 'close');
  assert.deepEqual(refused, []);
});

test('a client that has said what it wants in time has its time from then on', async (t) => {
  const clock = new FakeClock();
  const port = await echoServer(t);
  const { open } = await launchProxy(t, [`h.test:${port}`], { clock });
  for (const start of [
    Buffer.concat([socksGreeting(0), socksRequest('h.test', port)]),
    `CONNECT h.test:${port} HTTP/1.1\r\nHost: h\r\n\r\n`,
  ]) {
    let answer = '';
    const client = open().on('data', (data) => {
      answer += data;
    });
    client.write(start);
    while (!answer.endsWith('\x00\x00\x00') && !answer.endsWith('\r\n\r\n')) await settled();
    await clock.advance(hostLimits.proxyHeaderTimeoutMs * 2);
    client.end('late');
    await once(client, 'close');
    assert.ok(answer.endsWith('echo late'));
  }
});
