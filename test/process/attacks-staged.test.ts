// Attacks that take a host and its user's decisions: what is refused, by which error, and what is written down of it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { signPlugin } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { confined } from '../support/confined.ts';
import { runDaemonProcess } from '../support/daemon.ts';
import { copyFixture, fixtureHost } from '../support/fixture-host.ts';
import { isRoot, openFolder } from '../support/launch-fixture.ts';
import { asOrdinaryUser, runAsOrdinaryUser } from '../support/ordinary-user.ts';
import { tempFolder } from '../support/temp-folder.ts';

const hasPython = spawnSync('/usr/bin/python3', ['--version']).status === 0;
const withPython = hasPython ? confined : { skip: 'there is no /usr/bin/python3 here' };
const hasSocat = spawnSync('socat', ['-V']).status === 0;
const networked = hasSocat ? withPython : { skip: 'there is no socat here' };
const python = { behaviour: 'does-as-told-python', command: ['python3', 'main.py'] } as const;

test('a data folder that is a link is not used', confined, async (t) => {
  const { host, home } = await fixtureHost(t, ['echo']);
  const victim = openFolder(t, 0o777);
  symlinkSync(victim, join(home, 'data/echo'));
  const plugin = await host.plugin('echo');
  await assert.rejects(
    plugin.start(),
    (error) => MmmError.is(error, 'LAUNCH_FAILED') && /data folder/.test(error.message),
  );
  assert.deepEqual(readdirSync(victim), []);
});

const refusedRequests: readonly (readonly [what: string, permissions: string, problem: RegExp])[] = [
  ['a variable that loads code', 'environment = [{name = "LD_PRELOAD"}]', /no plugin gets LD_\*/],
  ['a wildcard that reaches one', 'environment = [{name = "NODE_*"}]', /no plugin gets NODE_/],
  ["git's own hooks", 'environment = [{name = "GIT_DIR"}]', /no plugin gets GIT_DIR/],
  ['the socket of a daemon', 'filesystem = [{path = "/var/run/docker.sock", access = "read"}]', /never shown/],
  ['the whole file system', 'filesystem = [{path = "/", access = "read"}]', /whole file system/],
  ['a path that leads up', 'filesystem = [{path = "/srv/../etc", access = "read"}]', /no "\.\."/],
  ['the processes of others', 'filesystem = [{path = "/proc/self/root", access = "read"}]', /\/proc gives control/],
  ['a device', 'filesystem = [{path = "/dev/sda", access = "read"}]', /\/dev gives control/],
  ['the power of the machine', 'system_control = [{name = "power"}]', /nothing lets a plugin do that/],
];

test('a variable that loads code is not granted, nor what else is never granted', async (t) => {
  const { host, directory } = await fixtureHost(t, []);
  const key = await host.keys.get('test');
  for (const [index, [what, permissions, problem]] of refusedRequests.entries()) {
    const folder = copyFixture(
      { behaviour: 'echo', name: `asks_${index}`, more: `[permissions]\n${permissions}` },
      directory,
    );
    await signPlugin(folder, key);
    await assert.rejects(host.install(folder, { grantRequested: true }), (error) => {
      assert.ok(MmmError.is(error, 'GRANT_INVALID'), `${what}: ${String(error)}`);
      assert.match(error.message, problem, what);
      return true;
    });
  }
  assert.deepEqual(await host.list(), []);
});

test('what a folder around the home of mmm shows is everything but that home', withPython, async (t) => {
  const folder = tempFolder(t);
  chmodSync(folder, 0o755);
  const home = join(folder, 'home');
  const more = `[permissions]\nfilesystem = [{path = "${folder}", access = "read"}]`;
  const fixture = { ...python, name: 'around', more, grant: [`filesystem=read:${folder}`] };
  const { host } = await fixtureHost(t, [fixture], { home });
  const plugin = await host.plugin('around');
  const { output } = await plugin.execute('run', { code: `(os.listdir('${folder}'), os.listdir('${home}'))` });
  assert.match(String(output), /^ok \(\['home'\], \[\]\)$/);
});

test('two plugins of one host have neither files nor processes in common', withPython, async (t) => {
  const { host, home } = await fixtureHost(t, [
    { ...python, name: 'first' },
    { ...python, name: 'second' },
  ]);
  const [first, second] = [await host.plugin('first'), await host.plugin('second')];
  const told = async (plugin: typeof first, code: string) => (await plugin.execute('run', { code })).output;
  assert.equal(await told(first, `written('/data/secret', 'hunter2')`), 'ok 7');
  assert.equal(await told(first, `open('/data/secret').read()`), 'ok hunter2');
  assert.equal(await told(second, `open('/data/secret').read()`), 'error ENOENT');
  assert.equal(await told(second, `open('${home}/data/first/secret').read()`), 'error ENOENT');
  assert.equal(await told(second, `os.listdir('${home}/run')`), 'error ENOENT');
  assert.equal(await told(first, `os.getpid() < 10 and len([n for n in os.listdir('/proc') if n.isdigit()])`), 'ok 2');
  assert.match(String(await told(second, `os.kill(${first.pid}, 0)`)), /^error ESRCH$/);
});

test('a launch that the sandbox refuses is recorded with its reason', withPython, async (t) => {
  const folder = openFolder(t, 0o755);
  const path = join(folder, 'shared');
  mkdirSync(path);
  const more = `[permissions]\nfilesystem = [{path = "${path}", access = "read"}]`;
  const fixture = { ...python, name: 'shown', more, grant: [`filesystem=read:${path}`] };
  const { host } = await fixtureHost(t, [fixture]);
  spawnSync('rmdir', [path]);
  spawnSync('mkfifo', [path]);
  const plugin = await host.plugin('shown');
  await assert.rejects(plugin.start(), (error) => MmmError.is(error, 'GRANT_INVALID') && /a pipe/.test(error.message));
  const entry = host.audit.list({ plugin: 'shown', action: 'refused' }).at(-1);
  assert.equal(entry?.detail.error, 'GRANT_INVALID');
  assert.match(String(entry?.detail.reason), /a socket, a pipe or a device/);
});

test('a plugin with files and hosts of its own reaches those, and no others', networked, async (t) => {
  const folder = tempFolder(t);
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'shared'), { mode: 0o755 });
  writeFileSync(join(folder, 'shared/text'), 'shared', { mode: 0o644 });
  const server = createServer((_request, response) => response.end('hello')).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  const more = `[permissions]
filesystem = [{path = "${folder}/shared", access = "read"}]
network = [{host = "http://127.0.0.1:${port}", private = true}]`;
  const grant = [`filesystem=read:${folder}/shared`, `network=http://127.0.0.1:${port}!private`];
  const { host } = await fixtureHost(t, [{ ...python, name: 'both', more, grant }]);
  const plugin = await host.plugin('both');
  const told = async (code: string) => String((await plugin.execute('run', { code })).output);
  const get = (where: number) =>
    `__import__('urllib.request').request.urlopen('http://127.0.0.1:${where}/', timeout=20).read()`;
  assert.equal(await told(`open('${folder}/shared/text').read()`), 'ok shared');
  assert.equal(await told(get(port)), "ok b'hello'");
  assert.match(await told(get(port === 9 ? 10 : 9)), /^error .*403/);
  assert.equal(await told('os.getuid() > 0'), 'ok True');
  assert.equal(host.audit.list({ plugin: 'both', action: 'connect' }).length, 1);
  assert.equal(host.audit.list({ plugin: 'both', action: 'refused' }).length, 1);
});

const strangerUid = 12_346;

test(
  "another user gets nowhere near a daemon's socket",
  isRoot ? {} : { skip: 'acting as others takes root' },
  async (t) => {
    const folder = tempFolder(t);
    chmodSync(folder, 0o755);
    const home = join(folder, 'home');
    await runDaemonProcess(t, home);
    const socket = join(home, 'run/control.sock');
    const knock = `import socket; socket.socket(socket.AF_UNIX).connect('${socket}'); print('connected')`;
    const as = (uid: number) =>
      spawnSync('/usr/bin/python3', ['-c', knock], { uid, gid: uid, encoding: 'utf8', cwd: '/', env: {} });
    assert.equal(as(0).stdout, 'connected\n', as(0).stderr);
    assert.match(as(strangerUid).stderr, /PermissionError/);
  },
);

test('an ordinary user is attacked in vain in the same way', asOrdinaryUser, () => {
  const { passed, output } = runAsOrdinaryUser(import.meta.filename);
  assert.ok(passed, output);
});
