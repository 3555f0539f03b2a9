import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
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
  readonly folder: string;
  /** Writes config.toml. */
  settings(text: string): void;
  run(...argv: string[]): Promise<CliResult>;
}

/** A machine with a signed plugin that requires one folder; it is not installed yet. */
async function place(t: Pick<TestContext, 'after'>, more = ''): Promise<Place> {
  const directory = tempFolder(t);
  chmodSync(directory, 0o755);
  const home = join(directory, 'home');
  const folder = join(directory, 'pictures');
  mkdirSync(folder, { mode: 0o755 });
  const run = (...argv: string[]): Promise<CliResult> => mmm({ home, cwd: directory }, ...argv);
  assert.equal((await run('key', 'new')).code, 0);
  const permission = `[[permissions.filesystem]]\npath = "${folder}"\naccess = "read"\n${more}`;
  copyFixture({ behaviour: 'echo', more: permission }, directory);
  assert.equal((await run('plugin', 'sign', 'echo')).code, 0);
  const settings = (text: string): void => writeFileSync(join(home, 'config.toml'), text, { mode: 0o600 });
  return { home, directory, folder, settings, run };
}

const install = ['plugin', 'install', 'echo'];
const exec = ['plugin', 'exec', 'echo', 'run', '--input', '1'];

test(
  'what the policy grants nobody is asked about, and what it stops granting is missing again',
  confined,
  async (t) => {
    const { run, settings, folder } = await place(t);
    assert.equal((await run(...install)).code, 3);
    settings(`[policy]\nauto = ["filesystem=read:${folder}"]\n`);
    const { code, stderr, stdout } = await run(...exec);
    assert.equal(code, 0, stderr);
    assert.equal(stdout, '1\n');
    assert.match((await run('plugin', 'info', 'echo')).stdout, /automatic +high +filesystem=read:/);
    settings('[policy]\n');
    assert.equal((await run(...exec)).code, 3);
  },
);

test(
  'what the policy refuses is refused at installation, at a grant and at a start, by the name of the entry',
  confined,
  async (t) => {
    const { run, settings, folder, home } = await place(t);
    settings('[policy]\nrefuse = ["filesystem"]\n');
    const sentence = /needs filesystem=read:.* refused by `refuse` \("filesystem"\) of \[policy\] in .*config\.toml/;
    const installed = await run(...install, '--grant-requested');
    assert.equal(installed.code, 3);
    assert.match(installed.stderr, sentence);
    assert.doesNotMatch((await run('plugin', 'list')).stdout, /echo/);
    settings('');
    assert.equal((await run(...install, '--grant-requested')).code, 0);
    assert.equal((await run(...exec)).code, 0);
    settings(`[policy.plugins.echo]\nrefuse = ["filesystem=read:${folder}/private"]\n`);
    const started = await run(...exec);
    assert.equal(started.code, 3);
    assert.match(started.stderr, /of \[policy\.plugins\.echo\] in /);
    const granted = await run('plugin', 'grant', 'echo', `filesystem=read:${folder}`);
    assert.equal(granted.code, 3);
    assert.match(granted.stderr, /E0302/);
    const host = await createHost({ home });
    t.after(() => host.close());
    const refused = host.audit
      .list()
      .filter(({ action }) => action === 'refused')
      .map(({ detail }) => detail.by);
    assert.deepEqual(refused, ['policy', 'policy', 'policy']);
  },
);

test('only named publishers may install and run', confined, async (t) => {
  const { run, settings } = await place(t);
  settings('[policy]\npublishers = ["acme"]\n');
  const refused = await run(...install, '--grant-requested');
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /E0305.*signed by "default" \([0-9a-f ]+\), and only "acme" may publish here/);
  assert.match(refused.stderr, /change `publishers` of \[policy\] in .*config\.toml/);
  settings('[policy]\npublishers = ["acme", "default"]\n');
  assert.equal((await run(...install, '--grant-requested')).code, 0);
  assert.equal((await run(...exec)).code, 0);
  settings('[policy]\npublishers = []\n');
  const started = await run(...exec);
  assert.equal(started.code, 3);
  assert.match(started.stderr, /E0305.*only nobody may publish here/);
});

test('a plugin without a signature has no publisher that could be allowed', async (t) => {
  const { run, settings, directory } = await place(t);
  settings('[policy]\npublishers = ["default", "echo"]\n');
  copyFixture({ behaviour: 'echo', name: 'unsigned' }, directory);
  const { code, stderr } = await run('plugin', 'install', 'unsigned', '--allow-unsigned', 'unsigned');
  assert.equal(code, 3);
  assert.match(stderr, /E0305.*nobody signed it/);
});

test('a minimum of confinement also holds for what --unconfined names', confined, async (t) => {
  const { run, settings } = await place(t);
  assert.equal((await run(...install, '--grant-requested')).code, 0);
  const unconfined = [...exec, '--unconfined', 'echo'];
  assert.equal((await run(...unconfined)).code, 0);
  settings('[policy]\nsandbox = "process"\n');
  const refused = await run(...unconfined);
  assert.equal(refused.code, 3);
  assert.match(refused.stderr, /E0305.*confined at level "process".*change `sandbox` of \[policy\]/);
  assert.equal((await run(...exec)).code, 0);
  settings('[policy]\nrequire = ["environment"]\n');
  assert.equal((await run(...unconfined)).code, 0);
  settings('[policy]\nrequire = ["environment", "filesystem"]\n');
  assert.match((await run(...unconfined)).stderr, /E0305.*filesystem would be declared, not enforced/);
  assert.equal((await run(...exec)).code, 0);
});

test('a program and the file of its user cannot lift what the other refuses', async (t) => {
  const { home, directory, settings } = await place(t);
  settings('[policy]\nrefuse = ["filesystem"]\n');
  const lenient = await createHost({ home, policy: { auto: ['filesystem', 'high'] } });
  t.after(() => lenient.close());
  await assert.rejects(lenient.install(join(directory, 'echo')), (error) => MmmError.is(error, 'PERMISSION_DENIED'));
  settings('[policy]\nauto = ["filesystem"]\n');
  const strict = await createHost({ home, policy: { refuse: ['high'] } });
  t.after(() => strict.close());
  await assert.rejects(strict.install(join(directory, 'echo')), /in what was given to createHost/);
  await assert.rejects(
    createHost({ home, policy: { auto: ['critical'] } }),
    /options\.policy\.auto\.0 cannot be "critical"/,
  );
});

test('nothing makes a critical permission granted without its own question', async (t) => {
  const { run, settings, home, directory } = await place(t, '[[permissions.commands]]\nname = "bash"\n');
  settings('[policy]\nauto = ["filesystem", "commands", "commands=bash"]\n');
  const { code, stdout } = await run(...install, '--grant-requested');
  assert.equal(code, 3);
  assert.match(stdout, /decide on: commands=bash/);
  const asked = await mmmAtTerminal({ home, cwd: directory }, ['a'], ...install);
  assert.equal(asked.code, 0, asked.stderr);
  assert.equal(asked.stderr.match(/asks for:/g)?.length, 1);
});

test('settings with a problem open no host, and mmm doctor tells where it is', async (t) => {
  const { run, settings, home } = await place(t);
  settings('[policy]\nrefuse = ["netwrok"]\n');
  const list = await run('plugin', 'list');
  assert.equal(list.code, 2);
  assert.match(list.stderr, /E0703.*\n.*config\.toml:2:11: policy\.refuse\[0\] .* did you mean "network"\?/);
  const doctor = await run('doctor');
  assert.equal(doctor.code, 7);
  assert.match(doctor.stdout, /✗ settings: The settings file .*config\.toml:2:11: /s);
  assert.equal(((await run('doctor', '--json')).json().checks as { name: string }[])[0]?.name, 'settings');
  settings('[policy]\nrefuse = ["network"]\n');
  assert.match((await run('doctor')).stdout, new RegExp(`✓ settings: ${home}/config.toml sets \\[policy\\]`));
});
