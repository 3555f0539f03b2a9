import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { confined } from '../support/confined.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import {
  confineFixture,
  fixtureBundle,
  isRoot,
  launchFixture,
  openFolder,
  runAsOrdinaryUser,
} from '../support/launch-fixture.ts';
import { loopLagMs } from '../support/loop-lag.ts';

const hasPython = spawnSync('/usr/bin/python3', ['--version']).status === 0;
const withPython = hasPython ? confined : { skip: 'there is no /usr/bin/python3 here' };

/** A bundle whose program `run` has this first line, above a plugin in Python. */
function scriptBundle(t: TestContext, interpreter: string): string {
  const bundle = fixtureBundle(t, 'reaches-out-python');
  const source = spawnSync('cat', [join(bundle, 'main.py')], { encoding: 'utf8' }).stdout;
  writeFileSync(join(bundle, 'run'), `#!${interpreter}\n${source}`);
  chmodSync(join(bundle, 'run'), 0o755);
  return bundle;
}

/** A program of the host that no plugin was meant to see. */
function privateProgram(t: TestContext): string {
  const folder = openFolder(t);
  mkdirSync(join(folder, 'private'));
  const program = join(folder, 'private', 'backup.sh');
  writeFileSync(program, '#!/bin/sh\necho hunter2\n');
  chmodSync(program, 0o755);
  return program;
}

test(
  'the interpreter of a script is looked up by its bare name, and no other word chooses a path',
  confined,
  async (t) => {
    const program = privateProgram(t);
    const words = [
      `/usr/bin/env ../../..${program}`,
      `/usr/bin/env ..${'/..'.repeat(4)}/oldroot/usr/bin/env`,
      `/usr/bin/env ${program}`,
      `/usr/bin/env -S ../../..${program} -x`,
      '/usr/bin/env bin/../env',
      '/usr/bin/env .',
      '/usr/bin/env ..',
      '/usr/bin/..',
      '/usr/bin/env --chdir=/',
    ];
    for (const word of words) {
      const attempt = confineFixture(t, { bundle: scriptBundle(t, word), command: ['./run'] });
      await assert.rejects(
        attempt,
        (error) => MmmError.is(error, 'LAUNCH_FAILED') && /bare name/.test(error.message),
        word,
      );
    }
  },
);

test('a script that names its interpreter plainly runs', withPython, async (t) => {
  for (const word of ['/usr/bin/env python3', '/usr/bin/env -S python3 -u', '/usr/bin/python3 -u']) {
    const { ask } = await launchFixture(t, { bundle: scriptBundle(t, word), command: ['./run'] });
    assert.equal(await ask({ op: 'env', name: 'MMM_PLUGIN' }), 'ok fixture', word);
  }
});

test('a script of the host cannot lead to a path either: the rule holds at every depth', confined, async (t) => {
  const program = privateProgram(t);
  const folder = openFolder(t);
  writeFileSync(join(folder, 'outer'), `#!/usr/bin/env ../../..${program}\n`);
  chmodSync(join(folder, 'outer'), 0o755);
  const machine = { programPath: [folder, '/usr/bin', '/bin'] };
  const bundle = scriptBundle(t, '/usr/bin/env outer');
  await assert.rejects(confineFixture(t, { bundle, command: ['./run'], machine }), /bare name/);
  const granted = [{ kind: 'commands', name: 'outer' }] as const;
  await assert.rejects(confineFixture(t, { bundle, command: ['true'], machine, granted }), /bare name/);
});

test('command[0] is a plain path inside the plugin folder or a bare name', confined, async (t) => {
  const bundle = scriptBundle(t, '/usr/bin/env python3');
  mkdirSync(join(bundle, 'bin'));
  for (const command of ['./bin/../run', 'bin//../run', './/run', '../run', '/bin/sh', 'run/', '.', '..', '-c']) {
    await assert.rejects(confineFixture(t, { bundle, command: [command] }), MmmError, command);
  }
  assert.ok(await confineFixture(t, { bundle, command: ['./run'] }));
});

test('the loader a program of the plugin names can only be a loader', confined, async (t) => {
  const program = privateProgram(t);
  for (const loader of [program, `/lib64/../..${program}`, '/.mmm/setpriv', '/lib64/../.mmm/ld.so', '/etc/passwd']) {
    const bundle = openFolder(t);
    writeFileSync(join(bundle, 'run'), elfNaming(loader), { mode: 0o755 });
    const attempt = confineFixture(t, { bundle, command: ['./run'] });
    await assert.rejects(
      attempt,
      (error) => MmmError.is(error, 'LAUNCH_FAILED') && /loader/.test(error.message),
      loader,
    );
  }
  const bundle = openFolder(t);
  writeFileSync(
    join(bundle, 'run'),
    elfNaming(process.arch === 'x64' ? '/lib64/ld-linux-x86-64.so.2' : '/lib/ld-linux-aarch64.so.1'),
    {
      mode: 0o755,
    },
  );
  assert.ok(await confineFixture(t, { bundle, command: ['./run'] }));
});

test('what leaves root is mounted after everything that a plugin or a grant has a word in', confined, async (t) => {
  const folder = openFolder(t);
  const command = await confineFixture(t, {
    bundle: scriptBundle(t, '/usr/bin/env true'),
    command: ['./run'],
    granted: [{ kind: 'filesystem', access: 'read', path: folder }],
  });
  const options = Buffer.from(command.descriptors[0]?.bytes ?? [])
    .toString()
    .split('\0');
  const helper = options.findIndex((option) => option.startsWith('/.mmm/'));
  assert.ok(helper > options.lastIndexOf('/data') && options.lastIndexOf('/data') > options.indexOf(folder));
  const after = options.slice(helper).filter((option) => /^--.*(?:bind|symlink|tmpfs|dir|file|proc|dev)/.test(option));
  assert.ok(
    after.every((option) => option === '--ro-bind' || option === '--chdir'),
    after.join(' '),
  );
});

const log = (params: object): string => `${JSON.stringify({ jsonrpc: '2.0', method: 'log', params })}\n`;
const floods = {
  'newlines on stderr': { descriptor: 2, text: '\n', megabytes: 64 },
  'short lines on stderr': { descriptor: 2, text: 'a\n', megabytes: 64 },
  'long lines on stderr': { descriptor: 2, text: `${'a'.repeat(60_000)}\n`, megabytes: 64 },
  'newlines on stdout': { descriptor: 1, text: '\n', megabytes: 16 },
  'short lines on stdout': { descriptor: 1, text: 'a\n', megabytes: 4 },
  'log notifications': { descriptor: 1, text: log({ message: 'm'.repeat(2000) }), megabytes: 16 },
  'log notifications with large fields': {
    descriptor: 1,
    text: log({ message: 'm', fields: Object.fromEntries(Array.from({ length: 10_000 }, (_, n) => [n, [[n]]])) }),
    megabytes: 16,
  },
} as const;

for (const [name, flood] of Object.entries(floods)) {
  test(`a flood of ${name} holds up neither the host nor another plugin`, { timeout: 60_000, ...confined }, async (t) => {
    const { host } = await fixtureHost(t, ['floods-lines', 'echo']);
    const [flooding, echo] = [await host.plugin('floods_lines'), await host.plugin('echo')];
    await Promise.all([flooding.start(), echo.start()]);
    for (let warm = 0; warm < 50; warm += 1) await echo.execute('run', warm);
    let worstMs = 0;
    let answered = 0;
    const lag = await loopLagMs(async () => {
      let isOver = false;
      const flooded = flooding.execute('run', flood).finally(() => {
        isOver = true;
      });
      while (!isOver) {
        const { durationMs } = await echo.execute('run', answered);
        answered += 1;
        worstMs = Math.max(worstMs, durationMs);
      }
      assert.equal((await flooded).output, 'flooded');
    });
    t.diagnostic(`lag ${lag.toFixed(0)} ms, ${answered} answers, the slowest took ${worstMs.toFixed(0)} ms`);
    assert.ok(lag < 100, `the event loop was blocked for ${lag.toFixed(0)} ms`);
    assert.ok(answered > 0 && worstMs < 100, `an answer of the other plugin took ${worstMs.toFixed(0)} ms`);
    await flooding.stop();
    const lines = await host.logs('floods_lines');
    if (name !== 'newlines on stdout') assert.ok(lines.length > 100, 'the beginning of the flood is in the log');
  });
}

/** The smallest file that is an ELF program with a loader. It cannot run. */
function elfNaming(loader: string): Buffer {
  const file = Buffer.alloc(120 + loader.length + 1);
  file.write('\x7fELF\x02\x01\x01', 'latin1');
  file.writeBigUInt64LE(64n, 32);
  file.writeUInt16LE(56, 54);
  file.writeUInt16LE(1, 56);
  file.writeUInt32LE(3, 64);
  file.writeBigUInt64LE(120n, 72);
  file.writeBigUInt64LE(BigInt(loader.length + 1), 96);
  file.write(loader, 120);
  return file;
}

test('the same holds for an ordinary user', { skip: !isRoot && 'this is the run as an ordinary user' }, () => {
  const { passed, output } = runAsOrdinaryUser(import.meta.filename);
  assert.ok(passed, output);
});
