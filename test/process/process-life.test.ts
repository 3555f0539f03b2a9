import assert from 'node:assert/strict';
import { spawn as spawnPlain, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { systemClock } from '@mmm/rpc';
import { probeSandbox } from '../../packages/host/src/sandbox/probe.ts';
import type { Child } from '../../packages/host/src/spawn/child.ts';
import { type StopLimits, stopLadder } from '../../packages/host/src/spawn/stop.ts';
import {
  confineFixture,
  type Fixture,
  fixtureBundle,
  isRoot,
  type Launched,
  launchFixture,
  launchPlain,
  launchUid,
  openFolder,
} from '../support/launch-fixture.ts';
import { asOrdinaryUser, runAsOrdinaryUser } from '../support/ordinary-user.ts';

const hasBubblewrap = spawnSync('bwrap', ['--ro-bind', '/', '/', '--unshare-user', 'true']).status === 0;
const hasPython = spawnSync('/usr/bin/python3', ['--version']).status === 0;
const confined = hasBubblewrap ? {} : { skip: 'bubblewrap does not work here' };
const withPython = hasPython ? confined : { skip: 'there is no /usr/bin/python3 here' };
/** Level none, where a temporary home is in reach of the uid. */
const none = { allowNone: true };
const briefly: StopLimits = { shutdownGraceMs: 100, stdinEndGraceMs: 100, terminateGraceMs: 2_000, killGraceMs: 5_000 };

async function start(t: TestContext, fixture: Fixture): Promise<Launched> {
  const launched = await launchFixture(t, fixture);
  await lineOf(launched, 'ready');
  return launched;
}

/** Resolves when the plugin has printed the line; fails when it ended before. */
async function lineOf(launched: Launched, line: string): Promise<void> {
  let ended = false;
  void launched.child.exited.then(() => {
    ended = true;
  });
  while (!launched.stderr.includes(line)) {
    assert.ok(!ended, `it ended before "${line}": ${launched.child.stderrTail()}`);
    await new Promise<void>((resolve) => systemClock.immediate(resolve));
  }
}

const silent = (): Promise<void> => new Promise(() => undefined);
const stop = (child: Child, limits: StopLimits) =>
  stopLadder({ child, requestShutdown: silent, clock: systemClock, limits });
const endsAsTold = (t: TestContext, how: string): Fixture => {
  return { bundle: fixtureBundle(t, 'ends-as-told'), command: ['node', 'main.cjs', how] };
};

test('how a plugin ended is read from its sandbox even by a host that is late for everything', confined, async (t) => {
  const { spawn } = await import('../../packages/host/src/spawn/spawn.ts');
  // Every time is over at once, as after a long pause of the whole process.
  const late = { ...systemClock, sleep: () => Promise.resolve() };
  const command = await confineFixture(t, endsAsTold(t, '3'));
  const ends = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const child = await spawn(command, { plugin: 'fixture', clock: late, onLine: () => undefined });
      child.transport.input.resume();
      return { ...(await child.exited), tail: child.stderrTail() };
    }),
  );
  for (const end of ends) assert.deepEqual(end, { code: 3, signal: null, tail: 'ready' });
});

for (const [how, expected] of [
  ['0', { code: 0, signal: null }],
  ['3', { code: 3, signal: null }],
  ['SIGKILL', { code: null, signal: 'SIGKILL' }],
  ['SIGSEGV', { code: null, signal: 'SIGSEGV' }],
  ['SIGTERM', { code: null, signal: 'SIGTERM' }],
] as const) {
  test(`a confined plugin that ends by ${how} is seen to end so`, confined, async (t) => {
    const { child } = await launchFixture(t, endsAsTold(t, how));
    assert.deepEqual(await child.exited, expected);
    assert.equal(child.stderrTail(), 'ready');
  });
}

test('a kill -9 of the plugin from outside is seen as SIGKILL', confined, async (t) => {
  const { child } = await start(t, endsAsTold(t, 'stay'));
  const { pluginPid } = child;
  assert.ok(pluginPid !== undefined && pluginPid !== child.pid);
  assert.match(readFileSync(`/proc/${pluginPid}/cmdline`, 'utf8'), /main\.cjs/);
  process.kill(pluginPid, 'SIGKILL');
  assert.deepEqual(await child.exited, { code: null, signal: 'SIGKILL' });
  assert.equal(child.pluginPid, undefined);
});

test('a kill -9 of the sandbox from outside is seen as SIGKILL and takes the plugin along', confined, async (t) => {
  const { child } = await start(t, endsAsTold(t, 'stay'));
  const { pluginPid } = child;
  process.kill(child.pid, 'SIGKILL');
  assert.deepEqual(await child.exited, { code: null, signal: 'SIGKILL' });
  await gone(pluginPid);
});

test('SIGTERM reaches the plugin itself, which ends in its own way', confined, async (t) => {
  const { child } = await start(t, endsAsTold(t, 'wait'));
  child.kill('SIGTERM');
  assert.deepEqual(await child.exited, { code: 7, signal: null });
});

test('the ladder ends a plugin that ignores its input and SIGTERM', confined, async (t) => {
  const launched = await start(t, { bundle: fixtureBundle(t, 'ignores-sigterm'), command: ['node', 'main.cjs'] });
  const exit = stop(launched.child, { ...briefly, terminateGraceMs: 500 });
  await lineOf(launched, 'got SIGTERM');
  assert.deepEqual(await exit, { code: null, signal: 'SIGKILL' });
});

test('the ladder stops at the end of stdin for a plugin that reads until then', confined, async (t) => {
  const { child } = await launchFixture(t, { bundle: openFolder(t), command: ['cat'] });
  assert.deepEqual(await stop(child, { ...briefly, stdinEndGraceMs: 10_000 }), { code: 0, signal: null });
});

for (const [name, machine] of [
  ['confined', {}],
  ['at level none', none],
] as const) {
  test(`a grandchild that left its session is gone after a stop, ${name}`, withPython, async (t) => {
    const bundle = fixtureBundle(t, 'leaves-grandchildren');
    const data = openFolder(t, 0o777);
    const command = ['python3', 'main.py', 'stay'];
    const launched = await start(t, { bundle, command, machine: { ...machine, dataDirectory: join(data, 'data') } });
    assert.equal(isLocked(join(data, 'data/lock')), true);
    await stop(launched.child, { ...briefly, terminateGraceMs: 100 });
    await unlocked(join(data, 'data/lock'));
  });

  test(`a grandchild holding the pipes does not delay the exit, ${name}`, withPython, async (t) => {
    const bundle = fixtureBundle(t, 'leaves-grandchildren');
    const data = openFolder(t, 0o777);
    const command = ['python3', 'main.py', 'exit'];
    const launched = await start(t, { bundle, command, machine: { ...machine, dataDirectory: join(data, 'data') } });
    launched.child.closeInput();
    assert.deepEqual(await launched.child.exited, { code: 0, signal: null });
    await unlocked(join(data, 'data/lock'));
  });

  test(`a kill -9 of the host leaves nothing behind, ${name}`, withPython, async (t) => {
    const data = openFolder(t, 0o777);
    const bundle = fixtureBundle(t, 'leaves-grandchildren');
    const level = name === 'confined' ? 'process' : 'none';
    const host = spawnPlain(
      process.execPath,
      ['--import', 'tsx', '--conditions=mmm-source', join(import.meta.dirname, '../support/one-plugin-host.ts')],
      {
        env: { ...process.env, FIXTURE: JSON.stringify({ bundle, data: join(data, 'data'), level }) },
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    );
    t.after(() => host.kill('SIGKILL'));
    const [line] = (await once(createInterface({ input: host.stdout }), 'line')) as [string];
    assert.equal(line, 'ready');
    assert.equal(isLocked(join(data, 'data/lock')), true);
    host.kill('SIGKILL');
    await unlocked(join(data, 'data/lock'));
  });
}

test("without a sandbox a plugin still has only its own environment and never root's uid", async (t) => {
  const bundle = fixtureBundle(t, 'reaches-out-javascript');
  const environment = { HOST_SECRET: 'hunter2' };
  const folder = openFolder(t, 0o777);
  const machine = { ...none, environment, dataDirectory: join(folder, 'data') };
  const { ask, command } = await launchFixture(t, { bundle, command: ['node', 'main.cjs'], machine });
  assert.equal(await ask({ op: 'env', name: 'HOST_SECRET' }), 'ok unset');
  assert.match(await ask({ op: 'ids' }), new RegExp(`^ok ${launchUid} ${isRoot ? '0+$' : ''}`));
  assert.equal(command.level, 'none');
  assert.deepEqual(
    new Set(
      Object.entries(command.enforcement)
        .filter(([name]) => name !== 'environment')
        .map(([, value]) => value),
    ),
    new Set(['declared']),
  );
});

for (const [name, machine] of [
  ['confined', undefined],
  ['at level none', none],
] as const) {
  test(`what Node itself adds to the environment of its children does not reach a plugin, ${name}`, async (t) => {
    const before = process.env.NODE_V8_COVERAGE;
    process.env.NODE_V8_COVERAGE = openFolder(t);
    t.after(() => {
      if (before === undefined) delete process.env.NODE_V8_COVERAGE;
      else process.env.NODE_V8_COVERAGE = before;
    });
    const program = { bundle: fixtureBundle(t, 'reaches-out-javascript'), command: ['node', 'main.cjs'] };
    const plain = launchPlain(t, process.execPath, [join(program.bundle, 'main.cjs')], {});
    assert.match(await plain({ op: 'env', name: 'NODE_V8_COVERAGE' }), /mmm-test/);
    const { ask } = await launchFixture(t, machine === undefined ? program : { ...program, machine });
    assert.equal(await ask({ op: 'env', name: 'NODE_V8_COVERAGE' }), 'ok unset');
  });
}

test("without a sandbox and without the user's word nothing starts", async (t) => {
  const probe = () => probeSandbox({ uid: launchUid, home: '/', nodePath: process.execPath, bubblewrap: null });
  const launch = confineFixture(t, { bundle: openFolder(t), command: ['cat'], machine: { probe } });
  await assert.rejects(launch, {
    code: 'SANDBOX_UNAVAILABLE',
    message: /bubblewrap is not installed.*(?:install|add|-S)/i,
  });
});

test('a sandbox that fails on this machine is named with its reason', async (t) => {
  const folder = openFolder(t);
  spawnSync('sh', ['-c', 'printf "#!/bin/sh\\necho bwrap: no namespaces >&2; exit 1\\n" > bwrap; chmod 755 bwrap'], {
    cwd: folder,
  });
  const probe = await probeSandbox({
    uid: launchUid,
    home: '/',
    nodePath: process.execPath,
    bubblewrap: join(folder, 'bwrap'),
  });
  assert.notEqual(probe.mechanism, 'bubblewrap');
  assert.match(probe.bubblewrap.reason ?? '', /bubblewrap failed: bwrap: no namespaces/);
  assert.ok(probe.advice);
});

test('a sandbox that cannot be set up is told apart from a plugin that fails', confined, async (t) => {
  const bundle = openFolder(t);
  const { spawn } = await import('../../packages/host/src/spawn/spawn.ts');
  const command = await confineFixture(t, { bundle, command: ['cat'] });
  spawnSync('rm', ['-r', bundle]);
  const child = await spawn(command, { plugin: 'fixture', clock: systemClock, onLine: () => undefined });
  assert.deepEqual(await child.exited, { code: 1, signal: null, sandboxFailed: true });
  assert.match(child.stderrTail(), /bwrap: Can't find source path/);
});

test('a program that is not installed is named with the folders that were searched', confined, async (t) => {
  const launch = confineFixture(t, { bundle: openFolder(t), command: ['no-such-interpreter', 'main.x'] });
  await assert.rejects(launch, {
    code: 'PROGRAM_NOT_FOUND',
    data: { plugin: 'fixture', program: 'no-such-interpreter', searched: ['/usr/local/bin', '/usr/bin', '/bin'] },
  });
});

test('a limit on memory and on processes ends or stops what goes over it', confined, async (t) => {
  const bundle = openFolder(t);
  const hog = 'const kept = []; for (;;) kept.push(Buffer.alloc(16 << 20, 1));';
  const { child } = await launchFixture(t, { bundle, command: ['node', '-e', hog], limits: { memory_mb: 200 } });
  assert.notEqual((await child.exited).code, 0);
  const fork = `const { spawn } = require('node:child_process');
    const end = (text) => { console.error(text); process.exit(); };
    for (let n = 0; n < 40; n++) {
      const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 1e5)']).on('error', () => end('stopped'));
      if (child.pid === undefined) end('stopped');
    }
    end('free');`;
  const forks = await launchFixture(t, { bundle, command: ['node', '-e', fork], limits: { processes: 30 } });
  await forks.child.exited;
  assert.match(forks.child.stderrTail(), /stopped/);
});

test('descriptors the host inherited are sealed before they reach a plugin', (t) => {
  const open = openSync('/dev/null', 'r');
  t.after(() => closeSync(open));
  const code = `import { inheritedDescriptors, sealDescriptors } from './packages/host/src/spawn/seal-descriptors.ts';
    console.log(sealDescriptors().includes(99), inheritedDescriptors().filter((fd) => fd > 2).length);`;
  const run = spawnSync(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', code], {
    cwd: join(import.meta.dirname, '../..'),
    encoding: 'utf8',
    // Node marks the first sixteen by itself; what a shell or a supervisor leaves open is often higher.
    stdio: ['ignore', 'pipe', 'pipe', ...Array.from({ length: 96 }, () => 'ignore' as const), open],
  });
  assert.equal(run.stdout.trim(), 'true 0', run.stderr);
});

test('the same holds for an ordinary user', asOrdinaryUser, () => {
  const { passed, output } = runAsOrdinaryUser(import.meta.filename);
  assert.ok(passed, output);
});

/** Whether a process still holds the lock: true even where its number cannot be seen. */
function isLocked(file: string): boolean {
  return existsSync(file) && spawnSync('flock', ['--nonblock', file, 'true']).status !== 0;
}

async function unlocked(file: string): Promise<void> {
  const run = spawnSync('flock', ['--timeout', '10', file, 'true']);
  assert.equal(run.status, 0, 'a process of the plugin lives on');
}

async function gone(pid: number | undefined): Promise<void> {
  while (pid !== undefined && existsSync(`/proc/${pid}`))
    await new Promise<void>((resolve) => systemClock.immediate(resolve));
}
