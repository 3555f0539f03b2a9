import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readdirSync, readlinkSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Host } from '@mmm/host';
import type { Permission } from '@mmm/protocol';
import { systemClock } from '@mmm/rpc';
import { probeSandbox } from '../../packages/host/src/sandbox/probe.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { confineFixture, fixtureBundle, launchUid } from '../support/launch-fixture.ts';
import { httpListener, tcpListener, udpListener } from '../support/listener.ts';
import { asOrdinaryUser, runAsOrdinaryUser } from '../support/ordinary-user.ts';

const works = (file: string, ...args: string[]): boolean => spawnSync(file, args).status === 0;
const hasSandbox = works('bwrap', '--ro-bind', '/', '/', '--unshare-user', 'true') && works('socat', '-V');
const hasPython = works('/usr/bin/python3', '--version');
const options = hasSandbox ? {} : { skip: 'bubblewrap or socat is missing here' };

/** What the resolver says. Nothing of it leaves this machine. */
const names: Readonly<Record<string, readonly string[]>> = {
  'granted.test': ['127.0.0.1'],
  'other.test': ['127.0.0.1'],
  'not-private.test': ['127.0.0.1'],
  'mapped.test': ['::ffff:127.0.0.1', '64:ff9b::7f00:1'],
  'metadata.test': ['169.254.169.254'],
};
const lookup = async (host: string): Promise<readonly string[]> => {
  const found = names[host];
  if (found === undefined) throw Object.assign(new Error(host), { code: 'ENOTFOUND' });
  return found;
};

interface Grant {
  readonly host: string;
  readonly private?: boolean;
}

function fixture(behaviour: string, name: string, grants: readonly Grant[], command?: readonly string[]) {
  const entries = grants.map(({ host, private: isPrivate }) => {
    return `{ host = "${host}"${isPrivate === true ? ', private = true' : ''} }`;
  });
  return {
    behaviour,
    name,
    more: `[permissions]\nnetwork = [${entries.join(', ')}]`,
    grant: grants.map(({ host, private: isPrivate }) => `network=${host}${isPrivate === true ? '!private' : ''}`),
    ...(command === undefined ? {} : { command }),
  };
}

/** One plugin in a host of its own, as a function from what it tries to what came back. */
async function plugin(t: TestContext, grants: readonly Grant[]) {
  const { host, home } = await fixtureHost(t, [fixture('asks-for-hosts', 'asker', grants)], { lookup });
  return { host, home, ...(await attempts(host, 'asker')) };
}

async function attempts(host: Host, id: string) {
  const handle = await host.plugin(id);
  const attempt = async (input: Readonly<Record<string, unknown>>): Promise<unknown> => {
    return (await handle.execute('run', input)).output;
  };
  const raw = async (...texts: string[]): Promise<string> => String(await attempt({ op: 'exchange', texts }));
  return {
    handle,
    attempt,
    raw,
    /** The status of the proxy's answer to CONNECT. */
    connect: async (target: string) => statusOf(await raw(`CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`)),
    /** A request in absolute form, without `http://`. */
    plain: async (target: string) =>
      await raw(`GET http://${target} HTTP/1.1\r\nHost: ignored.test\r\nConnection: close\r\n\r\n`),
    tunnelled: async (target: string) =>
      await raw(
        `CONNECT ${target} HTTP/1.1\r\nHost: ${target}\r\n\r\n`,
        `GET /inside HTTP/1.1\r\nHost: ${target}\r\nConnection: close\r\n\r\n`,
      ),
  };
}

function statusOf(answer: string): number {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(answer)?.[1] ?? 0);
}

test('a granted host is reached by tunnel, by plain request and by fetch, and by nothing else', options, async (t) => {
  const heard: string[] = [];
  const server = await httpListener(t, (request, response) => {
    heard.push(`${request.method} ${request.url} for ${request.headers.host}`);
    response.end('hello');
  });
  const target = `granted.test:${server.port}`;
  const { attempt, plain, tunnelled, connect } = await plugin(t, [{ host: target, private: true }]);
  assert.match(await tunnelled(target), /^HTTP\/1\.1 200 .*\r\n\r\nHTTP\/1\.1 200 OK[\s\S]*hello$/);
  assert.match(await plain(`${target}/plain`), /^HTTP\/1\.1 200 OK[\s\S]*hello/);
  const fetched = (await attempt({ op: 'fetch', params: { url: `http://${target}/fetched` } })) as { body: string };
  assert.equal(fetched.body, 'hello');
  assert.deepEqual(
    heard,
    ['inside', 'plain', 'fetched'].map((path) => `GET /${path} for ${target}`),
  );

  const before = server.received();
  for (const other of [
    `other.test:${server.port}`,
    `sub.granted.test:${server.port}`,
    `granted.test.evil.test:${server.port}`,
    'granted.test:443',
    `127.0.0.1:${server.port}`,
    `2130706433:${server.port}`,
    `0x7f.1:${server.port}`,
    `017700000001:${server.port}`,
    `[::1]:${server.port}`,
    `[::ffff:127.0.0.1]:${server.port}`,
    `localhost:${server.port}`,
  ]) {
    assert.equal(await connect(other), 403, other);
    assert.match(await plain(`${other}/`), /^HTTP\/1\.1 403 /, other);
    const refused = await attempt({ op: 'fetch', params: { url: `http://${other}/` } });
    assert.deepEqual((refused as { data: { kind: string } }).data.kind, 'permission_denied', other);
  }
  for (const odd of [
    `granted.test%00:${server.port}`,
    `x@granted.test:${server.port}`,
    'granted.test',
    `granted。test:1`,
  ]) {
    assert.equal(await connect(odd), 400, odd);
  }
  assert.equal(server.received(), before, 'nothing refused was ever connected to');
});

test('an address behind a granted name counts, whatever the name', options, async (t) => {
  const server = await tcpListener(t);
  const { host, handle, connect, attempt } = await plugin(t, [
    { host: `not-private.test:${server.port}` },
    { host: `mapped.test:${server.port}` },
    { host: `metadata.test:${server.port}`, private: true },
  ]);
  for (const name of ['not-private.test', 'mapped.test', 'metadata.test']) {
    assert.equal(await connect(`${name}:${server.port}`), 403, name);
    const { data, message } = (await attempt({ op: 'fetch', params: { url: `http://${name}:${server.port}/` } })) as {
      data: { kind: string };
      message: string;
    };
    assert.equal(data.kind, 'permission_denied');
    assert.match(message, /leads to (?:an address of this machine|a link-local address)/);
  }
  assert.equal(server.received(), 0);
  const audited = host.audit.list({ plugin: 'asker' }).filter(({ action }) => action === 'refused');
  assert.deepEqual(
    audited.map(({ detail }) => detail.network),
    ['not-private', 'mapped', 'metadata'].flatMap((name) => {
      return [`${name}.test:${server.port}`, `http://${name}.test:${server.port}`];
    }),
  );
  await handle.stop();
  const [summary] = host.audit.list({ plugin: 'asker' }).filter(({ action }) => action === 'network');
  assert.deepEqual(summary?.detail, { allowed: [], refused: 6 });
});

test('nothing gets out past the proxy, and a listener that nobody granted receives nothing', options, async (t) => {
  const tcp = await tcpListener(t);
  const udp = await udpListener(t);
  const { attempt, host } = await plugin(t, [{ host: 'granted.test:1', private: true }]);
  assert.equal(await attempt({ op: 'exchange', port: tcp.port, texts: ['x'] }), 'error ECONNREFUSED');
  assert.equal(await attempt({ op: 'exchange', host: '192.0.2.1', port: 80, texts: ['x'] }), 'error ENETUNREACH');
  assert.equal(await attempt({ op: 'udp', host: '192.0.2.1', port: 53 }), 'error ENETUNREACH');
  assert.equal(await attempt({ op: 'exchange', path: '/tmp/x.sock', texts: ['x'] }), 'error EAFNOSUPPORT');
  await attempt({ op: 'udp', host: '127.0.0.1', port: udp.port });
  assert.deepEqual([tcp.received(), udp.received()], [0, 0]);

  // The control, from outside of the sandbox: when these arrive, the earlier ones would have.
  const arrived = udp.arrived();
  const sender = createSocket('udp4');
  sender.send('x', udp.port, '127.0.0.1', () => sender.close());
  await arrived;
  await new Promise<void>((resolve) => {
    connect(tcp.port, '127.0.0.1')
      .on('close', () => resolve())
      .resume();
  });
  assert.deepEqual([tcp.received(), udp.received()], [1, 1]);
  assert.equal((await host.info('asker')).enforcement.network, 'enforced');
});

test('two plugins of one host each reach their own list only', options, async (t) => {
  const server = await httpListener(t, (_request, response) => void response.end('hello'));
  const [first, second] = ['granted.test', 'other.test'].map((name) => `${name}:${server.port}`) as [string, string];
  const { host } = await fixtureHost(
    t,
    [
      fixture('asks-for-hosts', 'first', [{ host: first, private: true }]),
      fixture('asks-for-hosts', 'second', [{ host: second, private: true }]),
    ],
    { lookup },
  );
  const one = await attempts(host, 'first');
  const two = await attempts(host, 'second');
  await Promise.all([one.handle.start(), two.handle.start()]);
  for (const [mine, yours, asker] of [
    [first, second, one],
    [second, first, two],
  ] as const) {
    assert.match(await asker.tunnelled(mine), /hello$/);
    assert.equal(await asker.connect(yours), 403);
  }
});

test('a plugin without a network grant has neither proxy nor variables', options, async (t) => {
  const { host } = await fixtureHost(t, ['asks-for-hosts'], { lookup });
  const { attempt, connect } = await attempts(host, 'asks_for_hosts');
  assert.deepEqual(await attempt({ op: 'env' }), {});
  await assert.rejects(async () => assert.notEqual(await connect('granted.test:1'), 0));
  const refused = await attempt({ op: 'fetch', params: { url: 'http://granted.test:1/' } });
  assert.equal((refused as { data: { kind: string } }).data.kind, 'permission_denied');
});

test('the way out ends with the plugin: no socket, no folder, no forwarder is left', options, async (t) => {
  const { home, handle, attempt } = await plugin(t, [{ host: 'granted.test:1', private: true }]);
  const variables = (await attempt({ op: 'env' })) as Record<string, string>;
  assert.equal(variables.https_proxy, 'http://127.0.0.1:3128');
  assert.equal(variables.NO_PROXY, '');
  const [folder = ''] = readdirSync(join(home, 'run'));
  const { mode } = statSync(join(home, 'run', folder));
  const socket = statSync(join(home, 'run', folder, 'egress.sock'));
  assert.deepEqual([mode & 0o777, socket.mode & 0o777], [0o700, 0o600]);
  assert.ok(workingIn(folder) > 0);
  await handle.stop();
  assert.deepEqual(readdirSync(join(home, 'run')), []);
  await nobodyWorksIn(folder);
});

test('a kill -9 of the host takes the forwarder along', options, async (t) => {
  const { home, host } = await plugin(t, [{ host: 'granted.test:1', private: true }]);
  await host.close();
  const program = join(import.meta.dirname, '../fixtures/programs/starts-plugin.ts');
  const child = spawn(process.execPath, ['--import', 'tsx', '--conditions=mmm-source', program, home, 'asker'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const [folder = ''] = readdirSync(join(home, 'run'));
  assert.ok(workingIn(folder) > 0);
  child.kill('SIGKILL');
  await nobodyWorksIn(folder);
});

/** How many processes work in a folder of this name, also when it is deleted. */
function workingIn(folder: string): number {
  assert.notEqual(folder, '');
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => {
    try {
      return readlinkSync(`/proc/${pid}/cwd`).includes(folder);
    } catch {
      return false;
    }
  }).length;
}

/** Waits for the kernel to have ended them all. */
async function nobodyWorksIn(folder: string): Promise<void> {
  while (workingIn(folder) > 0) await new Promise<void>((resolve) => systemClock.immediate(resolve));
}

test('without a forwarder a granted host refuses the launch, and says what to install', options, async (t) => {
  const probe = async () => {
    const found = await probeSandbox({ uid: launchUid, home: '/', nodePath: process.execPath });
    return { ...found, tools: { ...found.tools, socat: null } };
  };
  const granted: Permission[] = [{ kind: 'network', host: 'granted.test' }];
  const launch = { bundle: fixtureBundle(t, 'asks-for-hosts'), command: ['node', 'main.cjs'], granted };
  await assert.rejects(confineFixture(t, { ...launch, machine: { probe } }), {
    code: 'SANDBOX_UNAVAILABLE',
    message: /without socat none can be reached.*Install socat/,
  });
  assert.equal((await confineFixture(t, { ...launch, granted: [], machine: { probe } })).egress, null);
});

test("at level none the network is the host's, and said to be", options, async (t) => {
  const granted: Permission[] = [{ kind: 'network', host: 'granted.test' }];
  const launch = { bundle: fixtureBundle(t, 'asks-for-hosts'), command: ['node', 'main.cjs'], granted };
  const { egress, enforcement, env } = await confineFixture(t, { ...launch, machine: { allowNone: true } });
  assert.deepEqual([egress, enforcement.network, env.HTTP_PROXY], [null, 'declared', undefined]);
});

const python = hasSandbox && hasPython ? {} : { skip: 'bubblewrap, socat or /usr/bin/python3 is missing here' };

test("Python's own library finds the proxy and is told why a host is refused", python, async (t) => {
  const server = await httpListener(t, (_request, response) => void response.end('hello'));
  const target = `granted.test:${server.port}`;
  const command = ['python3', 'main.py'];
  const grants = [{ host: target, private: true }];
  const { host } = await fixtureHost(t, [fixture('asks-for-hosts-python', 'asker', grants, command)], { lookup });
  const { attempt } = await attempts(host, 'asker');
  assert.equal(await attempt({ url: `http://${target}/` }), '200 hello');
  const refused = await attempt({ url: `http://other.test:${server.port}/` });
  assert.match(String(refused), /^403 mmm: http:\/\/other\.test:\d+ is not among the hosts this plugin was granted/);
});

test('all of it holds for an ordinary user', asOrdinaryUser, () => {
  const { passed, output } = runAsOrdinaryUser(import.meta.filename);
  assert.ok(passed, output);
});
