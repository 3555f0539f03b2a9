import assert from 'node:assert/strict';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { findDaemon } from '@mmm/host';
import { mmm } from '../support/cli.ts';
import { mmmProcess, runDaemonProcess } from '../support/daemon.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

/** A home with these fixtures installed, that nobody has open. */
async function homeWith(t: TestContext, ...fixtures: Parameters<typeof fixtureHost>[1]): Promise<string> {
  const { host, home } = await fixtureHost(t, fixtures);
  await host.close();
  return home;
}

test('a daemon serves its home until it is stopped, and stop waits until it is gone', async (t) => {
  const home = join(tempFolder(t), 'home');
  assert.equal((await mmm({ home }, 'daemon', 'status')).code, 5);
  const daemon = await runDaemonProcess(t, home);
  assert.equal(daemon.ready.running, true);
  assert.equal(daemon.ready.pid, daemon.pid);
  const status = await mmm({ home }, 'daemon', 'status', '--json');
  assert.equal(status.code, 0);
  assert.equal(status.json().pid, daemon.pid);
  assert.equal(status.json().safe, false);
  const socket = join(home, 'run/control.sock');
  assert.equal(statSync(socket).mode & 0o777, 0o600);
  assert.equal(statSync(join(home, 'run')).mode & 0o777, 0o700);
  const stopped = await mmm({ home }, 'daemon', 'stop', '--json');
  assert.deepEqual(stopped.json(), { home, stopped: true, killed: false });
  assert.equal(existsSync(socket), false);
  assert.equal(await daemon.ended, 0);
  assert.equal((await mmm({ home }, 'daemon', 'stop', '--json')).json().stopped, false);
});

test('a second daemon of a home is refused with a sentence that names the first', async (t) => {
  const home = join(tempFolder(t), 'home');
  const first = await runDaemonProcess(t, home);
  const second = mmmProcess(t, home, 'daemon', 'run', '--json');
  assert.equal(await second.exited, 1);
  const { error } = JSON.parse(second.stdout.text) as { error: Record<string, unknown> };
  assert.equal(error.name, 'DAEMON_RUNNING');
  assert.deepEqual(error.data, { home, pid: first.pid });
  assert.equal(
    error.message,
    `A daemon serves ${home} already: pid ${first.pid}. Stop it first (mmm daemon stop), or use it.`,
  );
  assert.equal((await mmm({ home }, 'daemon', 'status', '--json')).json().pid, first.pid);
});

test('of many daemons that start at the same moment exactly one serves', async (t) => {
  const home = join(tempFolder(t), 'home');
  const started = Array.from({ length: 4 }, () => mmmProcess(t, home, 'daemon', 'run', '--json'));
  const documents = await Promise.all(started.map(async ({ stdout }) => JSON.parse(await stdout.until(/^.*\n/))));
  const serving = documents.filter(({ running }) => running === true);
  assert.equal(serving.length, 1, JSON.stringify(documents));
  assert.deepEqual(
    documents.filter(({ error }) => error !== undefined).map(({ error }) => error.name),
    ['DAEMON_RUNNING', 'DAEMON_RUNNING', 'DAEMON_RUNNING'],
  );
  assert.equal((await mmm({ home }, 'daemon', 'status', '--json')).json().pid, serving[0].pid);
});

test('daemon start leaves a daemon behind that does not need its terminal', async (t) => {
  const home = join(tempFolder(t), 'home');
  const started = mmmProcess(t, home, 'daemon', 'start', '--json');
  assert.equal(await started.exited, 0, started.stderr.text);
  const { pid } = JSON.parse(started.stdout.text) as { pid: number };
  t.after(() => mmm({ home }, 'daemon', 'stop'));
  assert.notEqual(pid, started.child.pid);
  assert.equal((await mmm({ home }, 'daemon', 'status', '--json')).json().pid, pid);
  const again = mmmProcess(t, home, 'daemon', 'start', '--json');
  assert.equal(await again.exited, 1);
  assert.equal((JSON.parse(again.stdout.text) as { error: { name: string } }).error.name, 'DAEMON_RUNNING');
  assert.equal((await mmm({ home }, 'daemon', 'stop', '--json')).json().stopped, true);
});

test('daemon start says in its own words why a daemon could not be started', async (t) => {
  const home = join(tempFolder(t), 'home');
  await mmm({ home }, 'key', 'new');
  const { writeFileSync } = await import('node:fs');
  writeFileSync(join(home, 'config.toml'), 'polcy = 1\n', { mode: 0o600 });
  const started = mmmProcess(t, home, 'daemon', 'start');
  assert.equal(await started.exited, 2);
  assert.match(started.stderr.text, /E0703.*config\.toml/s);
  assert.match(started.stderr.text, /polcy/);
});

test('a home whose path is longer than a socket may have is served like any other', async (t) => {
  const home = join(tempFolder(t), 'a'.repeat(100), 'b'.repeat(60), 'home');
  const daemon = await runDaemonProcess(t, home);
  const listed = await mmm({ home }, 'plugin', 'list', '--json');
  assert.deepEqual(listed.json(), { plugins: [], problems: [] });
  assert.equal((await mmm({ home }, 'daemon', 'status', '--json')).json().pid, daemon.pid);
  assert.equal((await mmm({ home }, 'daemon', 'stop')).code, 0);
});

test('a plugin keeps running between two commands, and is stopped with the daemon', async (t) => {
  const home = await homeWith(t, 'echo');
  await runDaemonProcess(t, home);
  const pids: unknown[] = [];
  for (const input of ['{"n":1}', '{"n":2}']) {
    const called = await mmm({ home }, 'plugin', 'exec', 'echo', 'run', '--input', input, '--json');
    assert.deepEqual(called.json().output, JSON.parse(input), called.stderr);
    const [row] = (await mmm({ home }, 'plugin', 'stats', '--json')).json().plugins as { now: { pids: number[] } }[];
    pids.push(row?.now.pids[0]);
  }
  assert.equal(pids[0], pids[1]);
  assert.equal((await mmm({ home }, 'daemon', 'stop')).code, 0);
  assert.throws(() => process.kill(Number(pids[0]), 0), { code: 'ESRCH' });
});

test('kill -9 leaves nothing that keeps the next daemon out, and the next one has what was decided', async (t) => {
  const home = await homeWith(t, 'echo');
  const first = await runDaemonProcess(t, home);
  assert.equal((await mmm({ home }, 'plugin', 'exec', 'echo', 'run')).code, 0);
  assert.equal((await mmm({ home }, 'plugin', 'disable', 'echo')).code, 0);
  await first.kill();
  assert.ok(existsSync(join(home, 'run/control.sock')), 'the socket of the dead one lies there');
  assert.equal(await findDaemon(home), undefined);
  // Nobody serves the home: commands work without.
  assert.equal((await mmm({ home }, 'plugin', 'list')).code, 0);
  const second = await runDaemonProcess(t, home);
  assert.notEqual(second.pid, first.pid);
  const refused = await mmm({ home }, 'plugin', 'exec', 'echo', 'run', '--json');
  assert.equal((refused.json().error as { name: string }).name, 'PLUGIN_DISABLED');
  assert.equal((await mmm({ home }, 'audit', 'verify', '--json')).json().intact, true);
});

test('with fifty plugins the next daemon knows them all as soon as it is ready', async (t) => {
  const names = Array.from({ length: 50 }, (_each, index) => `pet_${index}`);
  const home = await homeWith(t, ...names.map((name) => ({ behaviour: 'echo', name })));
  await (await runDaemonProcess(t, home)).kill();
  await runDaemonProcess(t, home);
  const { plugins } = (await mmm({ home }, 'plugin', 'list', '--json')).json() as { plugins: { id: string }[] };
  assert.deepEqual(plugins.map(({ id }) => id).sort(), [...names].sort());
  const called = await mmm({ home }, 'plugin', 'exec', 'pet_49', 'run', '--input', '49', '--json');
  assert.equal(called.json().output, 49, called.stdout);
});

test('a daemon that does not answer any more is killed by daemon stop', async (t) => {
  const home = join(tempFolder(t), 'home');
  const daemon = await runDaemonProcess(t, home);
  daemon.child.kill('SIGSTOP');
  const stopped = await mmm({ home }, 'daemon', 'stop', '--json');
  assert.deepEqual(stopped.json(), { home, stopped: true, killed: true });
  assert.equal(await daemon.ended, 'SIGKILL');
});

test('SIGTERM stops a daemon in order: exit code 0, no socket, no plugin', async (t) => {
  const home = await homeWith(t, 'echo');
  const daemon = await runDaemonProcess(t, home);
  assert.equal((await mmm({ home }, 'plugin', 'exec', 'echo', 'run')).code, 0);
  daemon.child.kill('SIGTERM');
  assert.equal(await daemon.ended, 0);
  assert.deepEqual(
    readdirSync(join(home, 'run')).filter((name) => !name.endsWith('.lock') && name !== 'control.token'),
    [],
  );
});

test('in safe mode no plugin is started, and everything else works', async (t) => {
  const home = await homeWith(t, 'echo');
  await runDaemonProcess(t, home, '--safe');
  assert.equal((await mmm({ home }, 'daemon', 'status', '--json')).json().safe, true);
  const called = await mmm({ home }, 'plugin', 'exec', 'echo', 'run', '--json');
  assert.equal(called.code, 1);
  assert.equal((called.json().error as { name: string }).name, 'SAFE_MODE');
  assert.equal((await mmm({ home }, 'plugin', 'disable', 'echo')).code, 0);
  assert.equal((await mmm({ home }, 'plugin', 'info', 'echo', '--json')).json().enabled, false);
});
