import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { type TestContext, test } from 'node:test';
import { hostMethods, RpcError } from '@mmm/protocol';
import { egressRules } from '../../../../packages/host/src/egress/rule.ts';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { launchProxy, statusOf } from '../../../support/launch-proxy.ts';
import { httpListener, tcpListener } from '../../../support/listener.ts';
import { socksGreeting, socksReplyOf, socksRequest } from '../../../support/socks-client.ts';

/** A server that holds every connection open and says nothing but what `said` tells it to. */
async function holdingServer(t: TestContext) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  const next = async (): Promise<Socket> => {
    const [socket] = await once(server, 'connection');
    return socket as Socket;
  };
  return { port: (server.address() as { port: number }).port, next, sockets };
}

const connectTo = (target: string): string => `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`;

test('what is cut is cut at once, in every way a plugin can be connected, and nothing new is opened', async (t) => {
  const server = await holdingServer(t);
  const target = `h.test:${server.port}`;
  const { open, egress, network, door } = await launchProxy(t, [target]);
  const ways: readonly (readonly [text: string | Buffer, start: string | undefined])[] = [
    [connectTo(target), 'HTTP/1.1 200 '],
    [Buffer.concat([socksGreeting(0), socksRequest('h.test', server.port)]), '\x05\x00\x05\x00'],
    [`GET http://${target}/ HTTP/1.1\r\nHost: h\r\n\r\n`, undefined],
  ];
  const closed: Promise<unknown>[] = [];
  for (const [text, start] of ways) {
    const there = server.next();
    const client = open().on('error', () => undefined);
    closed.push(once(client, 'close'));
    let answer = '';
    const answered = new Promise<void>((resolve) => {
      client.on('data', (data) => {
        answer += data;
        if (start !== undefined && answer.startsWith(start)) resolve();
      });
    });
    client.write(text);
    const held = await there;
    if (start !== undefined) await answered;
    closed.push(once(held.resume(), 'close'));
  }
  const rules = egressRules([{ kind: 'network', host: target, private: true }]);
  const request = hostMethods.fetch.params.parse({ url: `http://${target}/` });
  const there = server.next();
  const fetching = network.fetch(rules, request, new AbortController().signal);
  closed.push(once((await there).resume(), 'close'));
  egress.cut('somebody else');
  const refusal = { is: (error: unknown) => error instanceof RpcError && error.is('PermissionDenied') };
  egress.cut('asker');
  await assert.rejects(fetching, refusal.is);
  await Promise.all(closed);
  const before = server.sockets.length;
  await assert.rejects(network.fetch(rules, request, new AbortController().signal), refusal.is);
  await assert.rejects(network.open(rules));
  assert.deepEqual(readdirSync(dirname(door.directory)), [], 'the socket is gone');
  assert.equal(server.sockets.length, before);
});

test('a launch that has ended is not known any more, and another one of the plugin has a network', async (t) => {
  const server = await httpListener(t, (_request, response) => void response.end('hello'));
  const target = `h.test:${server.port}`;
  const { egress, network, door } = await launchProxy(t, [target]);
  network.ended();
  egress.cut('asker');
  assert.equal(readdirSync(dirname(door.directory)).length, 1, 'its door is closed by its own end');
  const next = egress.forLaunch('asker');
  const opened = await next.open(egressRules([{ kind: 'network', host: target, private: true }]));
  opened.close();
});

test('nothing is reached that could not be recorded before', async (t) => {
  const server = await tcpListener(t);
  const target = `h.test:${server.port}`;
  let isFull = true;
  const { send, allowed, refused } = await launchProxy(t, [target], {
    onAllowed: () => {
      if (isFull) throw new Error('the disk is full');
    },
  });
  assert.equal(statusOf(await send(connectTo(target))), 503);
  assert.equal(socksReplyOf(await send(socksGreeting(0), socksRequest('h.test', server.port))), 2);
  assert.equal(statusOf(await send(`GET http://${target}/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`)), 503);
  assert.equal(server.received(), 0);
  assert.deepEqual(refused, [
    `asker ${target} unrecorded`,
    `asker ${target} unrecorded`,
    `asker http://${target} unrecorded`,
  ]);
  isFull = false;
  assert.equal(statusOf(await send(connectTo(target))), 200);
  assert.equal(statusOf(await send(connectTo(target))), 200);
  assert.deepEqual(allowed, [target], 'once');
});

test('a wildcard fills the log with so many names and no more', async (t) => {
  const server = await tcpListener(t);
  const { send, allowed, network, summaries } = await launchProxy(t, [`*.h.test:${server.port}`]);
  for (let index = 0; index < hostLimits.trafficTargets + 5; index += 1) {
    assert.equal(statusOf(await send(connectTo(`n${index}.h.test:${server.port}`))), 200);
  }
  assert.equal(allowed.length, hostLimits.trafficTargets + 1);
  assert.equal(allowed.at(-1), 'others');
  network.ended();
  const rows = summaries[0]?.allowed ?? [];
  assert.equal(rows.length, hostLimits.trafficTargets + 1);
  assert.deepEqual([rows.at(-1)?.target, rows.at(-1)?.connections], ['others', 5]);
});

test('a connection that carries nothing for hours is cut, and one that says a word stays', async (t) => {
  const clock = new FakeClock();
  const server = await holdingServer(t);
  const target = `h.test:${server.port}`;
  const { open } = await launchProxy(t, [target], { clock });
  const tunnel = async () => {
    const there = server.next();
    const client = open().on('error', () => undefined);
    client.write(connectTo(target));
    await once(client, 'data');
    return { client, upstream: await there };
  };
  const [quiet, talking] = [await tunnel(), await tunnel()];
  const over = once(quiet.client.resume(), 'close');
  for (let quarter = 0; quarter < 5; quarter += 1) {
    const heard = once(talking.client, 'data');
    talking.upstream.write('.');
    await heard;
    await clock.advance(hostLimits.connectionIdleMs / 4);
  }
  await over;
  assert.equal(talking.client.destroyed, false);
});

test('of one plugin so many connections are served, and those of another go on', async (t) => {
  const server = await httpListener(t, (_request, response) => void response.end('hello'));
  const target = `h.test:${server.port}`;
  const greedy = await launchProxy(t, [target]);
  const other = await launchProxy(t, [target]);
  for (let index = 0; index < hostLimits.proxyConnections; index += 1) {
    await once(
      greedy.open().on('error', () => undefined),
      'connect',
    );
  }
  const get = `GET http://${target}/ HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n`;
  assert.equal(await greedy.send(get), '', 'one more is not served');
  assert.equal(statusOf(await other.send(get)), 200);
});

test('a name that changes its address between two looks gains nothing by it', async (t) => {
  const server = await tcpListener(t);
  // 192.0.2.0/24 is for documentation: it is refused as well, so that this test sends nothing to anybody.
  const answers = [['127.0.0.1'], ['192.0.2.1'], ['192.0.2.1', '127.0.0.1'], ['::ffff:127.0.0.1'], ['169.254.169.254']];
  let asked = 0;
  const lookup = async (): Promise<readonly string[]> => answers[asked++ % answers.length] ?? [];
  const target = `h.test:${server.port}`;
  const open = await launchProxy(t, [target], { isPrivate: false, lookup });
  for (let attempt = 0; attempt < 50; attempt += 1) {
    const text = attempt % 2 === 0 ? connectTo(target) : `GET http://${target}/ HTTP/1.1\r\nHost: h\r\n\r\n`;
    assert.equal(statusOf(await open.send(text)), 403);
  }
  assert.equal(asked, 50, 'one look for each connection');
  assert.equal(server.received(), 0);
  const control = await launchProxy(t, [target], { lookup: async () => ['127.0.0.1'] });
  assert.equal(statusOf(await control.send(connectTo(target))), 200);
  assert.equal(server.received(), 1);
});
