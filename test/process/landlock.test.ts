import assert from 'node:assert/strict';
import { spawn as spawnPlain, spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import type { Permission } from '@mmm/protocol';
import { systemClock } from '@mmm/rpc';
import { probeSandbox, type SandboxProbe } from '../../packages/host/src/sandbox/probe.ts';
import {
  confineFixture,
  type Fixture,
  fixtureBundle,
  isRoot,
  launchFixture,
  launchPlain,
  launchUid,
  openFolder,
} from '../support/launch-fixture.ts';
import { hasCompiler } from '../support/native-program.ts';
import { asOrdinaryUser, runAsOrdinaryUser } from '../support/ordinary-user.ts';

/** A machine on which bubblewrap does not work, and nothing else is missing. */
async function withoutBubblewrap(t: Pick<TestContext, 'after'>, namespaces: boolean): Promise<SandboxProbe> {
  const home = openFolder(t, 0o700);
  const probe = await probeSandbox({ uid: launchUid, home, nodePath: process.execPath, bubblewrap: null });
  const { helper } = probe.tools;
  if (namespaces || helper === null) return probe;
  return { ...probe, tools: { ...probe.tools, helper: { ...helper, namespaces: false } } };
}

const probeHome = mkdtempSync(join(tmpdir(), 'mmm-home-'));
process.once('exit', () => rmSync(probeHome, { recursive: true, force: true }));
const here = await probeSandbox({ uid: launchUid, home: probeHome, nodePath: process.execPath, bubblewrap: null });
const skip = !hasCompiler
  ? 'there is no C compiler here'
  : here.landlock.works
    ? undefined
    : `Landlock does not work here: ${here.landlock.reason}`;
const options = skip === undefined ? {} : { skip };
const abi = here.landlock.abi;

/** With namespaces of its own where the machine lets it; as an ordinary user also without. A root host needs them. */
const variants = [
  { name: 'with namespaces', namespaces: true, skipped: here.tools.helper?.namespaces !== true },
  { name: 'among the processes of the host', namespaces: false, skipped: isRoot },
] as const;

async function launch(t: TestContext, namespaces: boolean, fixture: Fixture) {
  const probe = await withoutBubblewrap(t, namespaces);
  const data = join(openFolder(t, 0o777), 'data');
  const machine = { probe: async () => probe, allowLandlock: true, dataDirectory: data, ...fixture.machine };
  return { ...(await launchFixture(t, { ...fixture, machine })), data };
}

for (const { name, namespaces, skipped } of variants) {
  const rung = skip === undefined && skipped ? { skip: `not ${name} here` } : options;
  const reach = (t: TestContext, granted: readonly Permission[] = []) =>
    launch(t, namespaces, {
      bundle: fixtureBundle(t, 'reaches-out-javascript'),
      command: ['node', 'main.cjs'],
      granted,
    });
  const plain = (t: TestContext) =>
    launchPlain(t, process.execPath, [join(fixtureBundle(t, 'reaches-out-javascript'), 'main.cjs')], { SECRET: 'x' });

  test(`Landlock ${name}: only what was granted is read and written`, rung, async (t) => {
    const folder = openFolder(t);
    for (const part of ['secret', 'shared', 'open']) {
      mkdirSync(join(folder, part));
      chmodSync(join(folder, part), 0o777);
      writeFileSync(join(folder, part, 'text'), 'hunter2');
      chmodSync(join(folder, part, 'text'), 0o666);
    }
    const { ask, command, data } = await reach(t, [
      { kind: 'filesystem', access: 'read', path: join(folder, 'shared') },
      { kind: 'filesystem', access: 'write', path: join(folder, 'open') },
    ]);
    const control = plain(t);
    const secret = { op: 'read', path: join(folder, 'secret/text') };
    assert.equal(await control(secret), 'ok hunter2');
    assert.equal(await ask(secret), 'error EACCES');
    assert.equal(await ask({ op: 'list', path: join(folder, 'secret') }), 'error EACCES');
    assert.equal(await ask({ op: 'read', path: join(folder, 'shared/text') }), 'ok hunter2');
    assert.equal(await ask({ op: 'open_write', path: join(folder, 'shared/text') }), 'error EACCES');
    assert.match(await ask({ op: 'open_write', path: join(folder, 'open/text') }), /^ok/);
    assert.match(await control({ op: 'create', path: join(folder, 'secret/x') }), /^ok/);
    for (const path of [join(folder, 'secret/y'), '/tmp/x', '/dev/shm/x', '/x', join(command.pluginDirectory, 'x')]) {
      assert.match(await ask({ op: 'create', path }), /^error (?:EACCES|EROFS)$/, path);
    }
    assert.match(await ask({ op: 'create', path: join(command.dataDirectory, 'x') }), /^ok/);
    assert.equal(readFileSync(join(data, 'x'), 'utf8'), 'x');
    assert.match(await ask({ op: 'read', path: '/etc/passwd' }), /^error EACCES/);
  });

  test(`Landlock ${name}: other processes are out of reach`, rung, async (t) => {
    const other = spawnPlain('/bin/sh', ['-c', 'echo ready; read never'], {
      env: { SECRET: 'other-hunter2' },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    t.after(() => other.kill('SIGKILL'));
    await once(other.stdout, 'data');
    const [{ ask }, control] = [await reach(t), plain(t)];
    assert.match(await control({ op: 'read', path: `/proc/${other.pid}/environ` }), /other-hunter2/);
    assert.match(await ask({ op: 'read', path: `/proc/${other.pid}/environ` }), /^error (?:EACCES|ENOENT)$/);
    assert.match(await ask({ op: 'read', path: `/proc/${other.pid}/cmdline` }), /^error (?:EACCES|ENOENT)$/);
    assert.match(await control({ op: 'kill', pid: other.pid }), /^ok/);
    if (namespaces || abi >= 6) assert.match(await ask({ op: 'kill', pid: other.pid }), /^error (?:EPERM|ESRCH)$/);
  });

  test(`Landlock ${name}: no socket leads anywhere`, rung, async (t) => {
    const server = createServer((socket) => socket.destroy()).listen(0, '127.0.0.1');
    const datagrams = createSocket('udp4').bind(0, '127.0.0.1');
    const unix = join(openFolder(t, 0o777), 'socket');
    const local = createServer((socket) => socket.destroy()).listen(unix);
    t.after(() => {
      for (const one of [server, datagrams, local]) one.close();
    });
    await Promise.all([server, datagrams, local].map((one) => once(one, 'listening')));
    chmodSync(unix, 0o777);
    const { port } = server.address() as { port: number };
    const udpPort = datagrams.address().port;
    const [{ ask }, control] = [await reach(t), plain(t)];
    for (const attempt of [
      { op: 'connect', port },
      { op: 'connect_unix', path: unix },
      { op: 'udp', port: udpPort },
    ]) {
      assert.match(await control(attempt), /^ok/, attempt.op);
      assert.match(await ask(attempt), /^error (?:EAFNOSUPPORT|EACCES)$/, attempt.op);
    }
  });

  test(`Landlock ${name}: it has no privilege, and the environment it was granted`, rung, async (t) => {
    const { ask, command } = await reach(t);
    assert.match(await ask({ op: 'ids' }), new RegExp(`^ok ${launchUid} ${isRoot || namespaces ? '0+$' : ''}`));
    assert.equal(await ask({ op: 'env', name: 'SECRET' }), 'ok unset');
    const { network, filesystem, processes } = command.enforcement;
    assert.equal(command.mechanism, 'landlock');
    assert.deepEqual({ network, filesystem }, { network: 'enforced', filesystem: abi >= 3 ? 'enforced' : 'partial' });
    assert.equal(processes, namespaces ? 'enforced' : abi >= 6 ? 'partial' : 'declared');
  });

  test(`Landlock ${name}: how a plugin ended is seen, and nothing stays behind`, rung, async (t) => {
    const end = (how: string) =>
      launch(t, namespaces, { bundle: fixtureBundle(t, 'ends-as-told'), command: ['node', 'main.cjs', how] });
    assert.deepEqual(await (await end('125')).child.exited, { code: 125, signal: null });
    assert.deepEqual(await (await end('SIGSEGV')).child.exited, { code: null, signal: 'SIGSEGV' });
    const { child } = await end('stay');
    await lineOf(child, 'ready');
    assert.match(readFileSync(`/proc/${child.pluginPid}/cmdline`, 'utf8'), /main\.cjs/);
    child.kill('SIGKILL');
    assert.deepEqual(await child.exited, { code: null, signal: 'SIGKILL' });
    const asked = await end('wait');
    await lineOf(asked.child, 'ready');
    asked.child.kill('SIGTERM');
    assert.deepEqual(await asked.child.exited, { code: 7, signal: null });
  });

  test(`Landlock ${name}: a grandchild that left its session ends with the plugin`, rung, async (t) => {
    const bundle = fixtureBundle(t, 'leaves-grandchildren');
    for (const [how, stop] of [
      ['exit', (child: Ended) => child.closeInput()],
      ['stay', (child: Ended) => child.kill('SIGKILL')],
    ] as const) {
      const { child, data } = await launch(t, namespaces, { bundle, command: ['python3', 'main.py', how] });
      await lineOf(child, 'ready');
      assert.equal(isLocked(join(data, 'lock')), true);
      stop(child);
      await child.exited;
      while (isLocked(join(data, 'lock'))) await turn();
    }
  });

  test(`Landlock ${name}: a kill -9 of the host leaves nothing behind`, rung, async (t) => {
    const data = join(openFolder(t, 0o777), 'data');
    const bundle = fixtureBundle(t, 'leaves-grandchildren');
    const file = join(import.meta.dirname, '../support/one-plugin-host.ts');
    const host = spawnPlain(process.execPath, ['--import', 'tsx', '--conditions=mmm-source', file], {
      env: { ...process.env, FIXTURE: JSON.stringify({ bundle, data, level: 'landlock', namespaces }) },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    t.after(() => host.kill('SIGKILL'));
    const [line] = (await once(createInterface({ input: host.stdout }), 'line')) as [string];
    assert.equal(line, 'ready');
    assert.equal(isLocked(join(data, 'lock')), true);
    host.kill('SIGKILL');
    while (isLocked(join(data, 'lock'))) await turn();
  });
}

interface Ended {
  closeInput(): void;
  kill(signal: NodeJS.Signals): void;
}

function isLocked(file: string): boolean {
  return existsSync(file) && spawnSync('flock', ['--nonblock', file, 'true']).status !== 0;
}

const turn = (): Promise<void> => new Promise((resolve) => systemClock.immediate(resolve));

async function lineOf(child: { stderrTail(): string; readonly exited: Promise<unknown> }, line: string): Promise<void> {
  let ended = false;
  void child.exited.then(() => {
    ended = true;
  });
  while (!child.stderrTail().includes(line)) {
    assert.ok(!ended, `it ended before "${line}": ${child.stderrTail()}`);
    await turn();
  }
}

test(
  'what Landlock cannot give is refused before anything starts, and so is Landlock nobody asked for',
  options,
  async (t) => {
    const probe = await withoutBubblewrap(t, true);
    const fixture = { bundle: openFolder(t), command: ['cat'] };
    const machine = { probe: async () => probe };
    await assert.rejects(confineFixture(t, { ...fixture, machine }), {
      code: 'SANDBOX_UNAVAILABLE',
      message: /bubblewrap is not installed.*Landlock works and keeps less from it.*--landlock fixture/,
    });
    const granted: Permission[] = [{ kind: 'network', host: 'granted.test' }];
    await assert.rejects(confineFixture(t, { ...fixture, granted, machine: { ...machine, allowLandlock: true } }), {
      code: 'SANDBOX_UNAVAILABLE',
      message: /it was granted hosts, which Landlock cannot give it/,
    });
  },
);

test('a sandbox of Landlock that cannot be set up is told apart from a plugin that fails', options, async (t) => {
  const { spawn } = await import('../../packages/host/src/spawn/spawn.ts');
  const probe = await withoutBubblewrap(t, true);
  const machine = { probe: async () => probe, allowLandlock: true, dataDirectory: join(openFolder(t, 0o777), 'data') };
  const command = await confineFixture(t, { bundle: openFolder(t), command: ['cat'], machine });
  const broken = { ...command, args: ['--allow', 'r', '/no/such/folder', ...command.args] };
  const child = await spawn(broken, { plugin: 'fixture', clock: systemClock, onLine: () => undefined });
  assert.deepEqual(await child.exited, { code: 125, signal: null, sandboxFailed: true });
  assert.match(child.stderrTail(), /mmm: cannot open \/no\/such\/folder: No such file/);
});

test('the same holds for an ordinary user', { ...asOrdinaryUser, timeout: 120_000 }, () => {
  const { passed, output } = runAsOrdinaryUser('test/process/landlock.test.ts');
  assert.ok(passed, output);
});
