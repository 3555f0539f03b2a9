import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHost } from '@mmm/host';
import { type CliResult, mmm, mmmAtTerminal } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { copyFixture } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

interface Place {
  readonly home: string;
  readonly directory: string;
  run(...argv: string[]): Promise<CliResult>;
  answering(answers: readonly string[], ...argv: string[]): Promise<CliResult>;
  /** Makes and signs the plugin `pet` in a version that reads these folders. */
  publish(version: string, permissions?: string, key?: string): Promise<void>;
}

const exec = ['plugin', 'exec', 'pet', 'run', '--input', '1'];
const install = ['plugin', 'install', 'pet'];

function place(t: Pick<TestContext, 'after'>): Place {
  const directory = tempFolder(t);
  chmodSync(directory, 0o755);
  const home = join(directory, 'home');
  for (const name of ['one', 'two']) mkdirSync(join(directory, name), { mode: 0o755 });
  const run = (...argv: string[]): Promise<CliResult> => mmm({ home, cwd: directory }, ...argv);
  return {
    home,
    directory,
    run,
    answering: (answers, ...argv) => mmmAtTerminal({ home, cwd: directory }, answers, ...argv),
    publish: async (version, permissions = '', key = 'default') => {
      // There already, but for the first time.
      await run('key', 'new', '--name', key);
      rmSync(join(directory, 'pet'), { recursive: true, force: true });
      const manifest = [
        'schema = 1',
        '[plugin]',
        'name = "pet"',
        `version = "${version}"`,
        'description = "A fixture"',
        'license = "MIT"',
        'command = ["node", "main.cjs"]',
        '[[capabilities]]',
        'kind = "tool"',
        'name = "run"',
        permissions,
      ].join('\n');
      copyFixture({ behaviour: 'echo', name: 'pet', manifest: `${manifest}\n` }, directory);
      const signed = await run('plugin', 'sign', 'pet', '--key', key);
      assert.equal(signed.code, 0, signed.stderr);
    },
  };
}

function reads(directory: string, ...names: string[]): string {
  return names
    .map((name) => `[[permissions.filesystem]]\npath = "${join(directory, name)}"\naccess = "read"\n`)
    .join('');
}

async function running(run: Place['run']): Promise<string> {
  const info = (await run('plugin', 'info', 'pet', '--json')).json();
  return `${info.version} ${info.waiting}`;
}

test(
  'an update that asks for more waits, and the version before keeps running until it is granted',
  confined,
  async (t) => {
    const { run, publish, directory, home } = place(t);
    const key = (name: string): string => `filesystem=read:${join(directory, name)}`;
    await publish('1.0.0', reads(directory, 'one'));
    assert.equal((await run(...install, '--grant-requested')).code, 0);
    await publish('2.0.0', reads(directory, 'two'));
    const offered = await run(...install);
    assert.equal(offered.code, 3);
    assert.match(
      offered.stdout,
      /pet 1\.0\.0 → 2\.0\.0, signed by "default" \([0-9a-f ]+\):\n {2}\+ high +filesystem=read:.*two .*to be decided/,
    );
    assert.match(
      offered.stdout,
      /- +filesystem=read:.*one {2}no longer asked for\n1\.0\.0 keeps running until you agree\./,
    );
    assert.match(offered.stdout, /To accept it: mmm plugin grant pet filesystem=read:.*two\n/);
    assert.equal(await running(run), '1.0.0 2.0.0');
    assert.match((await run('plugin', 'list')).stdout, /pet +1\.0\.0 +stopped, 2\.0\.0 waits/);
    assert.match((await run('plugin', 'info', 'pet')).stdout, /2\.0\.0 waits, because it asks for more/);
    assert.equal((await run(...exec)).code, 0);
    const granted = await run('plugin', 'grant', 'pet', key('two'));
    assert.equal(granted.code, 0, granted.stderr);
    assert.match(granted.stdout, /Updated pet to 2\.0\.0\./);
    assert.equal(await running(run), '2.0.0 null');
    assert.equal((await run(...exec)).code, 0);
    const host = await createHost({ home });
    t.after(() => host.close());
    const told = host.audit.list({ plugin: 'pet' }).map(({ action, detail }) => `${action} ${detail.version ?? ''}`);
    assert.deepEqual(
      told.filter((line) => !/publisher|network/.test(line)),
      ['install 1.0.0', 'update_waits 2.0.0', 'launch 1.0.0', 'grant ', 'install 2.0.0', 'launch 2.0.0'],
    );
  },
);

test('an update that asks for less or as much runs at once', confined, async (t) => {
  const { run, publish, directory } = place(t);
  await publish('1.0.0', reads(directory, 'one', 'two'));
  assert.equal((await run(...install, '--grant-requested')).code, 0);
  await publish('2.0.0', reads(directory, 'one'));
  const narrower = await run(...install);
  assert.equal(narrower.code, 0, narrower.stderr);
  assert.match(narrower.stdout, /Updated pet from 1\.0\.0 to 2\.0\.0/);
  await publish(
    '3.0.0',
    `${reads(directory, 'one')}\n[[permissions.network]]\nhost = "a.example.com"\noptional = true\n`,
  );
  assert.equal((await run(...install)).code, 0);
  assert.equal(await running(run), '3.0.0 null');
  assert.equal((await run(...exec)).code, 0);
});

test('what the user granted with the installation lets a wider update in at once', async (t) => {
  const { run, publish, directory } = place(t);
  await publish('1.0.0');
  assert.equal((await run(...install)).code, 0);
  await publish('2.0.0', reads(directory, 'one'));
  assert.equal((await run(...install, '--grant-requested')).code, 0);
  assert.equal(await running(run), '2.0.0 null');
});

test(
  'at a terminal a wider update is shown as a difference and asked about; a no leaves it waiting',
  confined,
  async (t) => {
    const { run, answering, publish, directory } = place(t);
    await publish('1.0.0');
    assert.equal((await run(...install)).code, 0);
    await publish('2.0.0', `${reads(directory, 'one')}[[permissions.commands]]\nname = "bash"\n`);
    const denied = await answering(['a', 'n'], ...install);
    assert.equal(denied.code, 3);
    assert.match(
      denied.stderr,
      /\+ critical commands=bash[\s\S]*pet 2\.0\.0, signed by "default" \([0-9a-f ]+\), asks for:/,
    );
    assert.equal(await running(run), '1.0.0 2.0.0');
    const accepted = await answering(['a'], 'plugin', 'update', 'pet');
    assert.equal(accepted.code, 0, accepted.stderr);
    assert.equal(accepted.stderr.match(/asks for:/g)?.length, 1);
    assert.match(accepted.stdout, /Updated pet to 2\.0\.0\./);
    assert.equal((await run(...exec)).code, 0);
  },
);

test('an update can be accepted by flags, and be dropped with what it brought', async (t) => {
  const { run, publish, directory, home } = place(t);
  await publish('1.0.0');
  assert.equal((await run(...install)).code, 0);
  await publish('2.0.0', reads(directory, 'one'));
  assert.equal((await run(...install)).code, 3);
  assert.equal((await run('plugin', 'update', 'pet')).code, 3);
  const stored = (): number => readdirSync(join(home, 'store')).filter((name) => /^[0-9a-f]{64}$/.test(name)).length;
  assert.equal(stored(), 2);
  assert.match((await run('plugin', 'update', 'pet', '--drop')).stdout, /Dropped pet 2\.0\.0; 1\.0\.0 stays/);
  assert.equal(stored(), 1);
  assert.equal(await running(run), '1.0.0 null');
  assert.match((await run('plugin', 'update', 'pet')).stdout, /No update of pet waits/);
  assert.equal((await run(...install)).code, 3);
  assert.equal((await run('plugin', 'update', 'pet', '--grant-requested')).code, 0);
  assert.equal(await running(run), '2.0.0 null');
});

test('a wider update is not let in by flags that name nothing critical', async (t) => {
  const { run, publish } = place(t);
  await publish('1.0.0');
  assert.equal((await run(...install)).code, 0);
  await publish('2.0.0', '[[permissions.commands]]\nname = "bash"\n');
  assert.equal((await run(...install, '--grant-requested')).code, 3);
  assert.equal((await run('plugin', 'update', 'pet', '--grant-requested')).code, 3);
  assert.equal(await running(run), '1.0.0 2.0.0');
  assert.equal((await run('plugin', 'update', 'pet', '--grant', 'commands=bash')).code, 0);
  assert.equal(await running(run), '2.0.0 null');
});

test('a key that is revoked while its update waits can no longer be let in', async (t) => {
  const { run, publish, directory } = place(t);
  await publish('1.0.0');
  assert.equal((await run(...install)).code, 0);
  await publish('2.0.0', reads(directory, 'one'));
  assert.equal((await run(...install)).code, 3);
  assert.equal((await run('key', 'revoke', 'default', '--reason', 'lost')).code, 0);
  const granted = await run('plugin', 'grant', 'pet', `filesystem=read:${join(directory, 'one')}`);
  assert.equal(granted.code, 4);
  assert.match(granted.stderr, /KEY_REVOKED|revoked/);
  assert.equal(await running(run), '1.0.0 2.0.0');
  assert.match((await run('plugin', 'info', 'pet')).stdout, /2\.0\.0 waits, and cannot be used/);
});

test('removing a plugin takes its waiting update with it', async (t) => {
  const { run, publish, directory, home } = place(t);
  await publish('1.0.0');
  assert.equal((await run(...install)).code, 0);
  await publish('2.0.0', reads(directory, 'one'));
  assert.equal((await run(...install)).code, 3);
  assert.equal((await run('plugin', 'remove', 'pet')).code, 0);
  assert.deepEqual(
    readdirSync(join(home, 'store')).filter((name) => /^[0-9a-f]{64}$/.test(name)),
    [],
  );
  assert.equal((await run(...install)).code, 3);
  assert.equal(await running(run), '2.0.0 null');
});
