import assert from 'node:assert/strict';
import { createServer as createHttpServer } from 'node:http';
import { createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { launchProxy, statusOf } from '../../../support/launch-proxy.ts';
import { httpListener, tcpListener } from '../../../support/listener.ts';

const get = (url: string, ...headers: string[]): string =>
  [`GET ${url} HTTP/1.1`, 'Host: ignored.test', 'Connection: close', ...headers, '', ''].join('\r\n');

test('a plain request gets the host that was judged and loses what is about the connection', async (t) => {
  let headers: string[] = [];
  const server = await httpListener(t, (request, response) => {
    headers = request.rawHeaders;
    response.setHeader('set-cookie', ['a=1', 'b=2']).setHeader('keep-alive', 'timeout=9');
    response.end('hello');
  });
  const { send } = await launchProxy(t, [`h.test:${server.port}`]);
  const answer = await send(
    get(`http://H.test.:${server.port}/p?q=1`, 'Proxy-Authorization: x', 'X-Hop: 1', 'Connection: x-hop', 'X-Mine: 1'),
  );
  assert.match(answer, /^HTTP\/1\.1 200 OK\r\nset-cookie: a=1\r\nset-cookie: b=2\r\n[\s\S]*hello/);
  assert.doesNotMatch(answer, /timeout=9/);
  assert.deepEqual(headers, ['x-mine', '1', 'host', `h.test:${server.port}`, 'connection', 'close']);
});

test('a body is passed on whole, in both framings', async (t) => {
  const server = await httpListener(t, async (request, response) => {
    const chunks: string[] = [];
    for await (const chunk of request.setEncoding('utf8')) chunks.push(chunk);
    response.end(`${request.headers['content-length'] ?? request.headers['transfer-encoding']} ${chunks.join('')}`);
  });
  const { send } = await launchProxy(t, [`h.test:${server.port}`]);
  const post = (...lines: string[]) =>
    send([`POST http://h.test:${server.port}/ HTTP/1.1`, 'Host: h', 'Connection: close', ...lines].join('\r\n'));
  assert.match(await post('Content-Length: 4', '', 'body'), /4 body/);
  assert.match(await post('Transfer-Encoding: chunked', '', '4', 'body', '0', '', ''), /chunked body/);
});

test('a tunnel carries bytes both ways, also when one side has said all it had to say', async (t) => {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let text = '';
    socket.on('data', (data) => {
      text += data;
    });
    socket.on('end', () => socket.end(`echo ${text}`));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const { open, summaries, network, door } = await launchProxy(t, [`h.test:${port}`]);
  const answer = await new Promise<string>((resolve) => {
    let text = '';
    const socket = open();
    socket.write(`CONNECT h.test:${port} HTTP/1.1\r\nHost: h\r\n\r\nearly `);
    socket.on('data', (data) => {
      if (text === '') socket.end('late');
      text += data;
    });
    socket.on('close', () => resolve(text));
  });
  assert.equal(answer, 'HTTP/1.1 200 Connection Established\r\n\r\necho early late');
  door.close();
  network.ended();
  assert.deepEqual(summaries, [
    { allowed: [{ target: `h.test:${port}`, connections: 1, bytesSent: 10, bytesReceived: 15 }], refused: 0 },
  ]);
});

test('what was not granted is refused with a reason, recorded, and never connected to', async (t) => {
  const server = await tcpListener(t);
  const { send, refused } = await launchProxy(t, [`h.test:${server.port}`, `http://plain.test:${server.port}`]);
  const target = `other.test:${server.port}`;
  const answer = await send(`CONNECT ${target} HTTP/1.1\r\nHost: h\r\n\r\n`);
  assert.match(answer, /^HTTP\/1\.1 403 Forbidden\r\nx-mmm-denied: not_granted\r\n/);
  assert.ok(answer.includes(`mmm: ${target} is not among the hosts this plugin was granted. Granted: h.test:`));
  assert.equal(statusOf(await send(get(`http://${target}/`))), 403);
  assert.equal(statusOf(await send(`CONNECT plain.test:${server.port} HTTP/1.1\r\nHost: h\r\n\r\n`)), 403);
  assert.equal(statusOf(await send(get(`http://h.test:${server.port}/`, 'Upgrade: x', 'Connection: upgrade'))), 403);
  assert.deepEqual(refused, [
    `asker ${target} not_granted`,
    `asker http://${target} not_granted`,
    `asker plain.test:${server.port} not_granted`,
    'asker (unreadable) not_supported',
  ]);
  assert.equal(server.received(), 0);
});

test('a granted name that leads to this machine is refused without a private grant', async (t) => {
  const server = await tcpListener(t);
  const { send } = await launchProxy(t, [`h.test:${server.port}`], { isPrivate: false });
  assert.match(await send(get(`http://h.test:${server.port}/`)), /^HTTP\/1\.1 403 [\s\S]*an address of this machine/);
  assert.equal(server.received(), 0);
});

test('what can be read in two ways is refused, or read in the one way that was judged', async (t) => {
  const seen: string[] = [];
  const server = await httpListener(t, (request, response) => {
    seen.push(`${request.headers.host}${request.url}`);
    response.end();
  });
  const own = `h.test:${server.port}`;
  const { send } = await launchProxy(t, [own]);
  for (const [text, status] of [
    [`GET / HTTP/1.1\r\nHost: ${own}\r\n\r\n`, 400],
    [`GET http://x@${own}/ HTTP/1.1\r\nHost: h\r\n\r\n`, 400],
    [`GET http://other.test\\@${own}/ HTTP/1.1\r\nHost: h\r\n\r\n`, 400],
    [`GET http://${own}#@other.test/ HTTP/1.1\r\nHost: h\r\n\r\n`, 400],
    [`GET https://${own}/ HTTP/1.1\r\nHost: h\r\n\r\n`, 400],
    [`GET http://${own}/\tHTTP/1.1\rHost:b HTTP/1.1\r\nHost: h\r\n\r\n`, 400],
    [
      `POST http://${own}/ HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
      400,
    ],
    [`POST http://${own}/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n`, 400],
    [`POST http://${own}/ HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip, chunked\r\nConnection: close\r\n\r\n`, 400],
    [`CONNECT ${own}@other.test:1 HTTP/1.1\r\nHost: h\r\n\r\n`, 400],
    [`CONNECT h.test%00:${server.port} HTTP/1.1\r\nHost: h\r\n\r\n`, 400],
    [`GET http://${own}/ HTTP/1.1\r\nHost: h\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
  ] as const) {
    assert.equal(statusOf(await send(text)), status, text.slice(0, 100));
  }
  assert.deepEqual(seen, []);
  const twice = await send(
    `GET http://${own}/1 HTTP/1.1\r\nHost: other.test\r\n\r\n${get(`http://other.test:${server.port}/2`)}`,
  );
  assert.deepEqual(twice.match(/HTTP\/1\.1 \d+/g), ['HTTP/1.1 200', 'HTTP/1.1 403']);
  assert.deepEqual(seen, [`${own}/1`]);
});

test('a host that is not there, and one that breaks off, are told apart from a refusal', async (t) => {
  const gone = await tcpListener(t);
  const cut = await new Promise<number>((resolve) => {
    const server = createServer((socket) => {
      socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'));
    });
    t.after(() => server.close());
    server.listen(0, '127.0.0.1', () => resolve((server.address() as { port: number }).port));
  });
  const { send } = await launchProxy(t, ['h.test:1', `h.test:${gone.port}`, `h.test:${cut}`]);
  assert.match(
    await send('CONNECT h.test:1 HTTP/1.1\r\nHost: h\r\n\r\n'),
    /^HTTP\/1\.1 502 [\s\S]*x-mmm-error: ECONNREFUSED/,
  );
  assert.match(await send(get('http://h.test:1/')), /^HTTP\/1\.1 502 [\s\S]*could not be reached \(ECONNREFUSED\)/);
  assert.match(await send(get(`http://h.test:${gone.port}/`)), /^HTTP\/1\.1 502 [\s\S]*broke off/);
  const half = await send(get(`http://h.test:${cut}/`));
  assert.match(half, /content-length: 10/);
  assert.ok(half.endsWith('half'), 'half an answer is cut, not completed');
});

test('connections are bounded, and closing the door cuts them all', async (t) => {
  const { open, door } = await launchProxy(t, ['h.test:1']);
  const ended: Promise<void>[] = [];
  const held: Socket[] = [];
  for (let index = 0; index < hostLimits.proxyConnections; index++) {
    const socket = open();
    await new Promise<void>((resolve) => socket.once('connect', resolve));
    ended.push(new Promise((resolve) => socket.on('error', () => undefined).once('close', () => resolve())));
    held.push(socket);
  }
  await new Promise<void>((resolve) =>
    open()
      .on('error', () => undefined)
      .once('close', () => resolve()),
  );
  assert.ok(held.every((socket) => !socket.destroyed));
  door.close();
  await Promise.all(ended);
});

test('proxies of two launches share nothing', async (t) => {
  const server = createHttpServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
  await new Promise<void>((resolve) => server.once('listening', resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const one = await launchProxy(t, [`one.test:${port}`]);
  const two = await launchProxy(t, [`two.test:${port}`]);
  const statuses = async ({ send }: typeof one): Promise<number[]> => [
    statusOf(await send(get(`http://one.test:${port}/`))),
    statusOf(await send(get(`http://two.test:${port}/`))),
  ];
  assert.deepEqual(
    [await statuses(one), await statuses(two)],
    [
      [200, 403],
      [403, 200],
    ],
  );
});
