import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Socket } from 'node:net';
import { type TestContext, test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { hostLimits } from '../../packages/host/src/limits.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { httpListener, tcpListener } from '../support/listener.ts';
import { networked, networkWorld } from '../support/network-world.ts';
import { asOrdinaryUser, runAsOrdinaryUser } from '../support/ordinary-user.ts';
import { otherTerminal } from '../support/other-terminal.ts';
import { patience } from '../support/promised.ts';

/** What is promised, from the moment the revocation was done. */
const withinMs = patience(1000);

/** A server that holds what connects to it and says nothing. */
async function holdingServer(t: TestContext) {
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket.on('error', () => undefined).resume());
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return {
    port: (server.address() as { port: number }).port,
    sockets,
    next: async () => (await once(server, 'connection'))[0] as Socket,
  };
}

/** A plugin with a tunnel, a SOCKS tunnel, a plain request and a `fetch`, each open and without an answer. */
async function connectedPlugin(t: TestContext) {
  const server = await holdingServer(t);
  const target = `held.test:${server.port}`;
  const { host, home } = await fixtureHost(
    t,
    [
      {
        behaviour: 'asks-for-hosts',
        name: 'asker',
        more: `[permissions]\nnetwork = [{ host = "${target}", private = true }]`,
        grant: [`network=${target}!private`],
      },
    ],
    { lookup: async () => ['127.0.0.1'] },
  );
  const plugin = await host.plugin('asker');
  const calls: Promise<unknown>[] = [];
  const name = String.fromCharCode('held.test'.length);
  const port = String.fromCharCode(server.port >> 8, server.port & 0xff);
  for (const input of [
    { op: 'exchange', texts: [`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`] },
    { op: 'exchange', texts: [`\x05\x01\x00\x05\x01\x00\x03${name}held.test${port}`] },
    { op: 'exchange', texts: [`GET http://${target}/ HTTP/1.1\r\nHost: ${target}\r\n\r\n`] },
    { op: 'fetch', params: { url: `http://${target}/` } },
  ]) {
    const there = server.next();
    const call = plugin.execute('run', input).then(
      ({ output }) => output,
      (error: unknown) => error,
    );
    calls.push(call);
    await Promise.race([there, call.then((ended) => assert.fail(`${input.op} ended: ${String(ended)}`))]);
  }
  assert.equal(server.sockets.length, 4);
  const cut = Promise.all(server.sockets.map((socket) => once(socket, 'close')));
  return { host, home, plugin, server, cut, calls, key: `network=${target}!private` };
}

test('what a plugin has open to a host is cut as soon as this host takes it away', networked, async (t) => {
  const { host, plugin, server, cut, calls, key } = await connectedPlugin(t);
  const { pid } = plugin;
  assert.ok(pid !== null);
  const revokedAt = performance.now();
  const revoked = host.revoke('asker', [key]);
  await cut;
  const tookMs = performance.now() - revokedAt;
  assert.ok(tookMs < withinMs, `${tookMs.toFixed(0)} ms`);
  process.kill(pid, 0);
  await revoked;
  await Promise.all(calls);
  assert.equal(plugin.pid, null);
  await assert.rejects(plugin.execute('run', {}), (error) => MmmError.is(error, 'CONSENT_REQUIRED'));
  assert.equal(server.sockets.length, 4);
});

test('what another process takes away is cut within a second', networked, async (t) => {
  const { home, plugin, server, cut, calls, key } = await connectedPlugin(t);
  const type = otherTerminal(t, home);
  await type('key', 'list');
  const cutAt = cut.then(() => performance.now());
  const revokedAt = await type('plugin', 'revoke', 'asker', key);
  const tookMs = (await cutAt) - revokedAt;
  assert.ok(tookMs < withinMs, `${tookMs.toFixed(0)} ms`);
  await Promise.all(calls);
  while (plugin.pid !== null) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(server.sockets.length, 4);
});

test('a flood of refused connections is counted, not written out, and harms no other plugin', networked, async (t) => {
  const secret = await tcpListener(t);
  const web = await httpListener(t, (_request, response) => void response.end('hello'));
  const { host, plugins } = await networkWorld(t, {
    flooder: { hosts: [`web.test:${web.port}`] },
    other: { hosts: [`web.test:${web.port}`] },
  });
  const { flooder, other } = plugins;
  assert.ok(flooder !== undefined && other !== undefined);
  const times = 5 * hostLimits.refusalsRecordedPerMinute;
  const flooding = flooder.ask<number>('flood', 'secret.test', secret.port, times);
  assert.equal(await other.ask('url', `http://web.test:${web.port}/`), '200 hello');
  assert.equal(await flooding, times);
  assert.equal(secret.received(), 0);
  await flooder.handle.stop();
  const entries = host.audit.list({ plugin: 'flooder', limit: 1000 });
  const refused = entries.filter(({ action }) => action === 'refused');
  assert.ok(refused.length <= hostLimits.refusalsRecordedPerMinute + 1, String(refused.length));
  assert.equal(refused.at(-1)?.detail.unrecorded, times - hostLimits.refusalsRecordedPerMinute);
  assert.equal(entries.find(({ action }) => action === 'network')?.detail.refused, times);
});

test('a plugin that holds all its connections keeps none from another', networked, async (t) => {
  const held = await holdingServer(t);
  const web = await httpListener(t, (_request, response) => void response.end('hello'));
  const { plugins } = await networkWorld(t, {
    greedy: { hosts: [`held.test:${held.port}`] },
    other: { hosts: [`web.test:${web.port}`] },
  });
  const { greedy, other } = plugins;
  assert.ok(greedy !== undefined && other !== undefined);
  for (let index = 0; index < hostLimits.proxyConnections; index += 1) {
    assert.equal(await greedy.ask('hold', 'held.test', held.port), 'held');
  }
  assert.equal(held.sockets.length, hostLimits.proxyConnections);
  assert.equal(await other.ask('url', `http://web.test:${web.port}/`), '200 hello');
  await greedy.handle.stop();
});

test('all of it holds for an ordinary user', asOrdinaryUser, () => {
  const { passed, output } = runAsOrdinaryUser(import.meta.filename);
  assert.ok(passed, output);
});
