import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { RequestListener } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { createServer, type Socket } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { hostMethods, type ParamsInput, type Permission, RpcError } from '@mmm/protocol';
import { type Clock, systemClock } from '@mmm/rpc';
import { Egress } from '../../../../packages/host/src/egress/egress.ts';
import { egressRules } from '../../../../packages/host/src/egress/rule.ts';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { httpListener } from '../../../support/listener.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

const tls = join(import.meta.dirname, '../../../fixtures/tls');
const certificate = readFileSync(join(tls, 'certificate.pem'), 'utf8');

/** `fetch` of one plugin, for which every name is this machine. */
function fetcher(
  t: TestContext,
  hosts: readonly string[],
  options: { clock?: Clock; isPrivate?: boolean; certificates?: string[]; signal?: AbortSignal } = {},
) {
  const { clock = systemClock, isPrivate = true, certificates } = options;
  const egress = new Egress({
    runDirectory: tempFolder(t),
    lookup: async (host) => (host === 'missing.test' ? Promise.reject(new Error('no such name')) : ['127.0.0.1']),
    clock,
    onAllowed: () => undefined,
    onRefused: () => undefined,
    onTraffic: () => undefined,
    ...(certificates === undefined ? {} : { certificates }),
  });
  const network = egress.forLaunch('asker');
  const rules = egressRules(hosts.map((host): Permission => ({ kind: 'network', host, private: isPrivate })));
  return (params: ParamsInput<typeof hostMethods.fetch>) => {
    const signal = options.signal ?? new AbortController().signal;
    return network.fetch(rules, hostMethods.fetch.params.parse(params), signal);
  };
}

/** A server of raw bytes. */
async function rawServer(t: TestContext, onConnection: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    onConnection(socket);
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return (server.address() as { port: number }).port;
}

async function failure(promise: Promise<unknown>): Promise<{ kind: string; reason: unknown; message: string }> {
  const error = await promise.then(
    () => assert.fail('it was answered'),
    (thrown: unknown) => thrown,
  );
  assert.ok(error instanceof RpcError, String(error));
  const details = error.data?.details as { reason?: unknown } | undefined;
  return { kind: error.data?.kind ?? '', reason: details?.reason, message: error.message };
}

test('a request is sent as asked and its answer comes back as text or as base64', async (t) => {
  const answers: Record<string, RequestListener> = {
    '/text?q=1': async (request, response) => {
      const chunks: string[] = [];
      for await (const chunk of request.setEncoding('utf8')) chunks.push(chunk);
      const { host, 'x-mine': mine, 'content-length': length, connection } = request.headers;
      response.writeHead(201, [
        ...['Content-Type', 'text/plain', 'Set-Cookie', 'a=1, x', 'Set-Cookie', 'b=2', 'Vary', 'a', 'Vary', 'b'],
      ]);
      response.end(JSON.stringify([request.method, host, mine, length, connection, chunks.join('')]));
    },
    '/bytes': (_request, response) => void response.end(Buffer.from([0xff, 0x00])),
    '/echo': (request, response) => void request.pipe(response),
  };
  const { port } = await httpListener(t, (request, response) => answers[request.url ?? '']?.(request, response));
  const fetch = fetcher(t, [`h.test:${port}`]);
  const headers = { 'X-Mine': '1', Host: 'evil.test', 'Content-Length': '999', Connection: 'upgrade' };
  const text = await fetch({ url: `http://h.test:${port}/text?q=1#x`, method: 'post', headers, body: 'häl' });
  assert.equal(text.status, 201);
  assert.deepEqual(JSON.parse(text.body), ['POST', `h.test:${port}`, '1', '4', 'close', 'häl']);
  assert.equal(text.headers['set-cookie'], 'a=1, x\nb=2');
  assert.equal(text.headers.vary, 'a, b');
  const bytes = await fetch({ url: `http://h.test:${port}/bytes` });
  assert.deepEqual([bytes.body, bytes.body_encoding], ['/wA=', 'base64']);
  const echoed = await fetch({
    url: `http://h.test:${port}/echo`,
    method: 'PUT',
    body: '/wA=',
    body_encoding: 'base64',
  });
  assert.deepEqual([echoed.body, echoed.body_encoding], ['/wA=', 'base64']);
});

test('a redirect is answered, not followed', async (t) => {
  const { port, received } = await httpListener(t, (_request, response) => {
    response.writeHead(302, { location: 'http://169.254.169.254/' }).end();
  });
  const { status, headers } = await fetcher(t, [`h.test:${port}`])({ url: `http://h.test:${port}/` });
  assert.deepEqual([status, headers.location, received()], [302, 'http://169.254.169.254/', 1]);
});

test('compression is undone unless the plugin asked for it, and what unfolds too far is cut', async (t) => {
  const packed = gzipSync('hello');
  const bomb = gzipSync(Buffer.alloc(hostLimits.fetchBodyBytes + 1));
  const { port } = await httpListener(t, (request, response) => {
    if (request.url === '/plain') response.end(Buffer.alloc(hostLimits.fetchBodyBytes + 1));
    else response.writeHead(200, { 'content-encoding': 'gzip' }).end(request.url === '/bomb' ? bomb : packed);
  });
  const fetch = fetcher(t, [`h.test:${port}`]);
  const decoded = await fetch({ url: `http://h.test:${port}/` });
  assert.deepEqual([decoded.body, decoded.headers['content-encoding']], ['hello', undefined]);
  const asked = await fetch({ url: `http://h.test:${port}/`, headers: { 'Accept-Encoding': 'gzip' } });
  assert.deepEqual([asked.body, asked.headers['content-encoding']], [packed.toString('base64'), 'gzip']);
  const head = await fetch({ url: `http://h.test:${port}/`, method: 'HEAD' });
  assert.deepEqual([head.body, head.headers['content-encoding']], ['', 'gzip']);
  for (const path of ['bomb', 'plain']) {
    assert.equal((await failure(fetch({ url: `http://h.test:${port}/${path}` }))).kind, 'message_too_large');
  }
});

test('https is checked against the name that was asked for', async (t) => {
  const server = createHttpsServer(
    { cert: certificate, key: readFileSync(join(tls, 'key.pem')) },
    (_request, response) => {
      response.end('secret');
    },
  ).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const hosts = ['granted.test', 'other.test', '127.0.0.1'].map((host) => `${host}:${port}`);
  const fetch = fetcher(t, hosts, { certificates: [certificate] });
  assert.equal((await fetch({ url: `https://granted.test:${port}/` })).body, 'secret');
  assert.equal((await fetch({ url: `https://127.0.0.1:${port}/` })).body, 'secret');
  const wrong = await failure(fetch({ url: `https://other.test:${port}/` }));
  assert.deepEqual([wrong.kind, wrong.reason], ['network_failed', 'tls']);
  const untrusted = await failure(fetcher(t, hosts)({ url: `https://granted.test:${port}/` }));
  assert.equal(untrusted.reason, 'tls');
});

test('each way to fail has its own answer', async (t) => {
  const half = await rawServer(t, (socket) => {
    socket.once('data', () => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf'));
  });
  const shut = await rawServer(t, (socket) => socket.destroy());
  const odd = await rawServer(t, (socket) => void socket.once('data', () => socket.end('SMTP ready\r\n\r\n')));
  const fetch = fetcher(t, [1, half, shut, odd].map((port) => `h.test:${port}`).concat('missing.test', 'h.test:443'));
  for (const [url, kind, reason] of [
    ['http://h.test:1/', 'network_failed', 'refused'],
    [`http://h.test:${half}/`, 'network_failed', 'cut'],
    [`http://h.test:${shut}/`, 'network_failed', 'cut'],
    [`https://h.test:${shut}/`, 'network_failed', 'cut'],
    [`http://h.test:${odd}/`, 'network_failed', 'invalid_response'],
    [`https://h.test:${odd}/`, 'network_failed', 'tls'],
    ['https://missing.test/', 'network_failed', 'dns'],
    ['https://other.test/', 'permission_denied', 'not_granted'],
    ['ftp://h.test/', 'invalid_params', undefined],
    ['http://user:password@h.test:1/', 'invalid_params', undefined],
    ['nonsense', 'invalid_params', undefined],
  ] as const) {
    const { message, ...told } = await failure(fetch({ url }));
    assert.deepEqual(told, { kind, reason }, `${url}: ${message}`);
  }
  const url = `http://h.test:${half}/`;
  for (const params of [
    { url, method: 'CONNECT' },
    { url, method: 'GET /x HTTP/1.1\r\n' },
    { url, headers: { 'x\r\ny': '1' } },
    { url, headers: { x: 'a\r\nb: c' } },
    { url, headers: { x: 'x'.repeat(20_000) } },
    { url, body: 'no base64', body_encoding: 'base64' as const },
  ]) {
    assert.equal((await failure(fetch(params))).kind, 'invalid_params');
  }
  const refused = await failure(fetcher(t, ['h.test:1'], { isPrivate: false })({ url: 'http://h.test:1/' }));
  assert.deepEqual([refused.kind, refused.reason], ['permission_denied', 'address']);
});

test('silence ends at the deadline, and a cancelled request at once', async (t) => {
  let arrived = (): void => undefined;
  const port = await rawServer(t, (socket) => void socket.once('data', () => arrived()));
  const clock = new FakeClock();
  const cancelled = new AbortController();
  const fetch = fetcher(t, [`h.test:${port}`], { clock, signal: cancelled.signal });
  for (const [end, kind] of [
    [() => clock.advance(500), 'timeout'],
    [async () => cancelled.abort(), 'request_cancelled'],
  ] as const) {
    const asked = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const failed = failure(fetch({ url: `http://h.test:${port}/`, timeout_ms: 500 }));
    await asked;
    await end();
    assert.equal((await failed).kind, kind);
  }
});

test('a server that changes the protocol is refused, and not waited for', async (t) => {
  const port = await rawServer(t, (socket) => {
    socket.once('data', () =>
      socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n'),
    );
  });
  const { kind, reason } = await failure(fetcher(t, [`h.test:${port}`])({ url: `http://h.test:${port}/` }));
  assert.deepEqual([kind, reason], ['network_failed', 'invalid_response']);
});
