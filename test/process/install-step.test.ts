import assert from 'node:assert/strict';
import { chmodSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHost } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { type CliResult, mmm, mmmAtTerminal } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { copyFixture } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

interface Place {
  readonly home: string;
  readonly directory: string;
  run(...argv: string[]): Promise<CliResult>;
  /** Writes and signs the plugin `pet`, whose step gets this argument. */
  publish(version: string, argument: string, more?: string): Promise<void>;
}

const exec = ['plugin', 'exec', 'pet', 'run', '--json'];

async function place(t: TestContext): Promise<Place> {
  const directory = tempFolder(t);
  chmodSync(directory, 0o755);
  const home = join(directory, 'home');
  const run = (...argv: string[]): Promise<CliResult> => mmm({ home, cwd: directory }, ...argv);
  assert.equal((await run('key', 'new')).code, 0);
  return {
    home,
    directory,
    run,
    publish: async (version, argument, more = '') => {
      const words = ['node', 'setup.cjs', ...(argument === '' ? [] : [argument])];
      const manifest = [
        'schema = 1',
        `[plugin]\nname = "pet"\nversion = "${version}"\ndescription = "A fixture"\nlicense = "MIT"`,
        'command = ["node", "main.cjs"]',
        '[[capabilities]]\nkind = "tool"\nname = "run"',
        `[install]\ncommand = ${JSON.stringify(words)}\n${more}\n`,
      ];
      copyFixture({ behaviour: 'prepares-itself', name: 'pet', manifest: manifest.join('\n') }, directory);
      const signed = await run('plugin', 'sign', 'pet');
      assert.equal(signed.code, 0, signed.stderr);
    },
  };
}

async function output(run: Place['run']): Promise<unknown> {
  const called = await run(...exec);
  assert.equal(called.code, 0, called.stderr);
  return called.json().output;
}

async function audited(home: string): Promise<string[]> {
  const host = await createHost({ home });
  try {
    const entries = host.audit.list({ plugin: 'pet' }).filter(({ action }) => action === 'install_step');
    return entries.map(({ detail }) => String(detail.state));
  } finally {
    await host.close();
  }
}

test(
  'the install step runs once, at the installation, as the plugin runs: confined and in its log',
  confined,
  async (t) => {
    const { run, publish, home } = await place(t);
    await publish('1.0.0', '');
    const installed = await run('plugin', 'install', 'pet');
    assert.equal(installed.code, 0, installed.stderr);
    assert.match(installed.stdout, /Ran its install step: "node setup\.cjs"/);
    assert.equal(await output(run), 'once ');
    assert.equal(await output(run), 'once ');
    assert.equal((await run('plugin', 'install', 'pet')).code, 0);
    assert.equal(await output(run), 'once ');
    const logs = (await run('plugin', 'logs', 'pet')).stdout;
    assert.match(logs, /stdout +info +preparing\\u\{1b\}\[2J\n/);
    const [, seen = ''] = /stderr +info +sees (.*)\n/.exec(logs) ?? [];
    assert.doesNotMatch(seen, /\b(root|home)\b/);
    assert.match(seen, /\bplugin\b/);
    assert.deepEqual(await audited(home), ['started', 'done']);
    assert.match((await run('plugin', 'info', 'pet')).stdout, /install +Ran its install step/);
  },
);

test('each version has a step of its own', confined, async (t) => {
  const { run, publish } = await place(t);
  await publish('1.0.0', '');
  assert.equal((await run('plugin', 'install', 'pet')).code, 0);
  await publish('1.1.0', '');
  assert.equal((await run('plugin', 'install', 'pet')).code, 0);
  assert.equal(await output(run), 'once once ');
});

test('what the step is not granted it does not see, and what it is granted it does', confined, async (t) => {
  const { run, publish, directory, home } = await place(t);
  const folder = join(directory, 'music');
  mkdirSync(folder, { mode: 0o755 });
  const permission = `[[permissions.filesystem]]\npath = "${folder}"\naccess = "read"\n`;
  await publish('1.0.0', folder);
  assert.equal((await run('plugin', 'install', 'pet')).code, 0);
  assert.equal(await output(run), 'false ');
  await publish('2.0.0', folder, permission);
  const waits = await run('plugin', 'install', 'pet');
  assert.equal(waits.code, 3);
  assert.match(waits.stdout, /Once accepted it runs, confined: "node setup\.cjs /);
  assert.deepEqual(await audited(home), ['started', 'done']);
  assert.equal(await output(run), 'false ');
  const granted = await run('plugin', 'grant', 'pet', `filesystem=read:${folder}`);
  assert.match(granted.stdout, /Updated pet to 2\.0\.0\.\nRan its install step/);
  assert.equal(await output(run), 'false true ');
});

test('a first installation runs it only after consent, which is told before the question', confined, async (t) => {
  const { publish, directory, home, run } = await place(t);
  await publish('1.0.0', '', '[[permissions.environment]]\nname = "LANG"\n');
  const at = { home, cwd: directory };
  const denied = await mmmAtTerminal(at, ['n'], 'plugin', 'install', 'pet');
  assert.equal(denied.code, 3);
  assert.match(denied.stderr, /Once that is decided it runs, confined: "node setup\.cjs"[\s\S]*asks for:/);
  assert.deepEqual(await audited(home), []);
  const allowed = await mmmAtTerminal(at, ['a'], 'plugin', 'install', 'pet');
  assert.equal(allowed.code, 0, allowed.stderr);
  assert.match(allowed.stdout, /Ran its install step/);
  assert.equal(await output(run), 'once ');
});

test('--no-hooks leaves it out for good, and that is recorded', confined, async (t) => {
  const { run, publish, home } = await place(t);
  await publish('1.0.0', '');
  const installed = await run('plugin', 'install', 'pet', '--no-hooks');
  assert.match(installed.stdout, /Left out its install step: "node setup\.cjs"/);
  assert.equal(await output(run), null);
  assert.deepEqual(await audited(home), ['skipped']);
});

test(
  'a step that fails leaves the plugin installed and not started, says why, and is tried again',
  confined,
  async (t) => {
    const { run, publish, home } = await place(t);
    await publish('1.0.0', 'fail');
    const installed = await run('plugin', 'install', 'pet');
    assert.equal(installed.code, 8);
    assert.match(installed.stdout, /Its install step exited with code 3: "node setup\.cjs fail"\. It is tried again/);
    assert.match((await run('plugin', 'info', 'pet')).stdout, /install +Its install step exited with code 3/);
    const called = await run(...exec);
    assert.equal(called.code, 8);
    assert.equal((called.json().error as { code: string }).code, 'E0506');
    assert.deepEqual(await audited(home), ['started', 'failed', 'started', 'failed']);
    writeFileSync(join(home, 'data', 'pet', 'mended'), '');
    chmodSync(join(home, 'data', 'pet', 'mended'), 0o644);
    assert.equal(await output(run), 'once ');
  },
);

test('a step that does not end is ended at its deadline', confined, async (t) => {
  const { run, publish, home } = await place(t);
  await publish('1.0.0', 'hang', 'timeout_s = 0.5');
  const installed = await run('plugin', 'install', 'pet');
  assert.equal(installed.code, 8);
  assert.match(installed.stdout, /Its install step took longer than 0\.5 s/);
  assert.deepEqual(await audited(home), ['started', 'failed']);
});

test('a script that looks like one of a package manager is never run', confined, async (t) => {
  const { run, directory, home } = await place(t);
  const folder = copyFixture({ behaviour: 'echo' }, directory);
  const proof = join(directory, 'ran');
  const scripts = { preinstall: `touch ${proof}`, postinstall: `touch ${proof}`, install: `touch ${proof}` };
  writeFileSync(join(folder, 'package.json'), JSON.stringify({ name: 'echo', version: '1.0.0', scripts }));
  writeFileSync(join(folder, 'install.sh'), `#!/bin/sh\ntouch ${proof}\n`, { mode: 0o755 });
  assert.equal((await run('plugin', 'sign', 'echo')).code, 0);
  assert.equal((await run('plugin', 'install', 'echo')).code, 0);
  assert.equal((await run('plugin', 'exec', 'echo', 'run', '--input', '1')).code, 0);
  assert.equal(existsSync(proof), false);
  assert.equal(existsSync(join(home, 'data', 'echo', 'ran')), false);
});

test('an install step is ended when its key is revoked while it runs', confined, async (t) => {
  const { run, publish, home, directory } = await place(t);
  await publish('1.0.0', 'hang');
  const host = await createHost({ home });
  t.after(() => host.close());
  const installing = host.install(join(directory, 'pet'));
  const steps = () => host.audit.list({ plugin: 'pet' }).filter(({ action }) => action === 'install_step');
  while (steps().length === 0) await new Promise((resolve) => setImmediate(resolve));
  const revoked = await run('key', 'revoke', 'default');
  assert.equal(revoked.code, 0, revoked.stderr);
  // It would hang for ever. The installation stands, and nothing of it starts any more.
  const { step } = await installing;
  assert.notEqual(step?.state, 'done');
  await assert.rejects((await host.plugin('pet')).start(), (error) => MmmError.is(error, 'KEY_REVOKED'));
  const [stop] = host.audit.list({ plugin: 'pet' }).filter(({ action }) => action === 'stop');
  assert.equal(stop?.detail.why, 'KEY_REVOKED');
});
