import assert from 'node:assert/strict';
import { chmodSync, cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { before, type TestContext, test } from 'node:test';
import { buildPlugins } from '../support/build-plugins.ts';
import { type CliOptions, type CliResult, mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { copyFixture, type Fixture } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

interface World {
  readonly directory: string;
  readonly home: string;
  run(...argv: string[]): Promise<CliResult>;
  runWith(options: Partial<CliOptions>, ...argv: string[]): Promise<CliResult>;
}

let built: string;
before(() => {
  built = buildPlugins();
});

/** A new user's machine: an empty home and a key. */
async function world(t: Pick<TestContext, 'after'>): Promise<World> {
  const directory = tempFolder(t);
  const home = join(directory, 'home');
  const runWith = (options: Partial<CliOptions>, ...argv: string[]): Promise<CliResult> =>
    mmm({ home, cwd: directory, ...options }, ...argv);
  const made = await runWith({}, 'key', 'new');
  assert.equal(made.code, 0, made.stderr);
  return { directory, home, runWith, run: (...argv) => runWith({}, ...argv) };
}

async function installShipped(place: World, name: string): Promise<string> {
  const folder = join(place.directory, name);
  cpSync(join(built, name), folder, { recursive: true });
  await installFolder(place, folder);
  return folder;
}

async function installFixture(place: World, fixture: Fixture, ...options: string[]): Promise<string> {
  const folder = copyFixture(fixture, place.directory);
  await installFolder(place, folder, ...options);
  return folder;
}

async function installFolder(place: World, folder: string, ...options: string[]): Promise<void> {
  const signed = await place.run('plugin', 'sign', folder);
  assert.equal(signed.code, 0, signed.stderr);
  const installed = await place.run(
    'plugin',
    'install',
    folder,
    ...(options.length === 0 ? ['--grant-requested'] : options),
  );
  assert.equal(installed.code, 0, installed.stderr);
}

test('2+2*3 is the number 8', confined, async (t) => {
  const place = await world(t);
  await installShipped(place, 'calculator');
  const result = await place.run(
    'plugin',
    'exec',
    'calculator',
    'calculate',
    '--input',
    '{"expression":"2+2*3"}',
    '--json',
  );
  assert.equal(result.code, 0, result.stdout);
  assert.equal(result.json().output, 8);
  assert.equal(typeof result.json().duration_ms, 'number');
});

test('a wrong input is refused naming the field, before the plugin sees it', confined, async (t) => {
  const place = await world(t);
  await installShipped(place, 'calculator');
  const wrong = await place.run('plugin', 'exec', 'calculator', 'calculate', '--input', '{"expression":4}', '--json');
  assert.equal(wrong.code, 2);
  const { error } = wrong.json() as { error: { code: string; name: string; message: string } };
  assert.equal(error.name, 'INPUT_INVALID');
  assert.match(error.message, /expression/);
  const stats = (await place.run('plugin', 'stats', 'calculator', '--json')).json() as { plugins: { loads: number }[] };
  assert.equal(stats.plugins[0]?.loads, 0, 'no process was started for it');
});

test('a call whose plugin dies exits 8 and names the signal', confined, async (t) => {
  const place = await world(t);
  await installFixture(place, { behaviour: 'crashes-on-execute' });
  const died = await place.run('plugin', 'exec', 'crashes_on_execute', 'run', '--input', '{"signal":"SIGSEGV"}');
  assert.equal(died.code, 8);
  assert.match(died.stderr, /error\[E0608\].*SIGSEGV/);
  assert.match(died.stderr, /about to die/);
});

test('a changed file in the store exits 4, and the plugin does not run', confined, async (t) => {
  const place = await world(t);
  await installShipped(place, 'calculator');
  const bundle = readdirSync(join(place.home, 'store')).find((name) => /^[0-9a-f]{64}$/.test(name)) ?? '';
  const file = join(place.home, 'store', bundle, 'dist/plugin.cjs');
  chmodSync(file, 0o644);
  const bytes = readFileSync(file);
  bytes[100] = (bytes[100] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  chmodSync(file, 0o444);
  const refused = await place.run(
    'plugin',
    'exec',
    'calculator',
    'calculate',
    '--input',
    '{"expression":"1"}',
    '--json',
  );
  assert.equal(refused.code, 4, refused.stdout);
  assert.equal((refused.json() as { error: { name: string } }).error.name, 'BUNDLE_CHANGED');
});

test('a folder of the project named like an installed plugin does not replace it', confined, async (t) => {
  const place = await world(t);
  await installFixture(place, { behaviour: 'echo' });
  const impostor = copyFixture({ behaviour: 'never-answers', name: 'echo' }, join(place.directory, '.mmm', 'plugins'));
  await place.run('plugin', 'sign', impostor);
  const listed = await place.run('plugin', 'list', '--json');
  const { plugins, problems } = listed.json() as {
    plugins: { id: string; origin: string }[];
    problems: { kind: string; directory: string }[];
  };
  assert.deepEqual(
    plugins.map(({ id, origin }) => `${id} ${origin}`),
    ['echo installed'],
  );
  assert.deepEqual(
    problems.map(({ kind, directory }) => `${kind} ${directory}`),
    [`shadowed ${impostor}`],
  );
  const called = await place.run('plugin', 'exec', 'echo', 'run', '--input', '"mine"', '--json');
  assert.equal(called.json().output, 'mine');
});

test("a project's plugin runs only after it was enabled in that folder", confined, async (t) => {
  const place = await world(t);
  const folder = copyFixture({ behaviour: 'echo' }, join(place.directory, '.mmm', 'plugins'));
  await place.run('plugin', 'sign', folder);
  const before = await place.run('plugin', 'exec', 'echo', 'run', '--input', '1');
  assert.equal(before.code, 1);
  assert.match(before.stderr, /E0113.*was not enabled here/);
  assert.equal((await place.run('plugin', 'enable', 'echo')).code, 0);
  assert.equal((await place.run('plugin', 'exec', 'echo', 'run', '--input', '1', '--json')).json().output, 1);
  const elsewhere = join(place.directory, 'elsewhere');
  cpSync(join(place.directory, '.mmm'), join(elsewhere, '.mmm'), { recursive: true });
  assert.equal((await place.runWith({ cwd: elsewhere }, 'plugin', 'exec', 'echo', 'run', '--input', '1')).code, 1);
});

test(
  'two plugins of one name, a broken manifest and a missing interpreter are reported, and the rest works',
  confined,
  async (t) => {
    const place = await world(t);
    await installFixture(place, { behaviour: 'echo' });
    await installFixture(place, {
      behaviour: 'echo',
      name: 'no_interpreter',
      command: ['no-such-interpreter', 'main.cjs'],
    });
    const data = join(place.directory, 'data', 'mmm', 'plugins');
    for (const [folder, name] of [
      ['one', 'twin'],
      ['two', 'twin'],
    ] as const) {
      copyFixture({ behaviour: 'echo', name }, join(place.directory, folder));
      cpSync(join(place.directory, folder, name), join(data, folder), { recursive: true });
    }
    mkdirSync(join(data, 'broken'));
    writeFileSync(join(data, 'broken', 'plugin.toml'), 'schema = 1\n[plugin]\nname = "broken"\nverzion = "1"\n');
    const env = { XDG_DATA_HOME: join(place.directory, 'data') };
    const listed = await place.runWith({ env }, 'plugin', 'list', '--json');
    const { problems } = listed.json() as { problems: { kind: string; message: string }[] };
    assert.deepEqual(problems.map(({ kind }) => kind).sort(), ['broken', 'duplicate', 'duplicate']);
    assert.match(
      problems.find(({ kind }) => kind === 'broken')?.message ?? '',
      /plugin\.toml:4:1[\s\S]*verzion[\s\S]*version/,
    );
    const missing = await place.run('plugin', 'exec', 'no_interpreter', 'run');
    assert.equal(missing.code, 5);
    assert.match(missing.stderr, /E0501.*no-such-interpreter/);
    assert.equal(
      (await place.runWith({ env }, 'plugin', 'exec', 'echo', 'run', '--input', '2', '--json')).json().output,
      2,
    );
  },
);

test('what was not granted keeps a plugin from starting, and revoking it does too', confined, async (t) => {
  const place = await world(t);
  const more = '[permissions]\nenvironment = [{ name = "GREETING", reason = "Greets you" }]';
  const folder = copyFixture({ behaviour: 'echo', more }, place.directory);
  await place.run('plugin', 'sign', folder);
  const installed = await place.run('plugin', 'install', folder, '--json');
  assert.equal(installed.code, 3);
  assert.deepEqual(installed.json().missing, ['environment=GREETING']);
  const exec = (): Promise<CliResult> => place.run('plugin', 'exec', 'echo', 'run', '--input', '1');
  assert.equal((await exec()).code, 3);
  assert.equal((await place.run('plugin', 'grant', 'echo', 'environment=OTHER')).code, 2, 'it does not ask for that');
  assert.equal((await place.run('plugin', 'grant', 'echo', 'environment=GREETING')).code, 0);
  assert.equal((await exec()).code, 0);
  assert.equal((await place.run('plugin', 'revoke', 'echo', 'environment=GREETING')).code, 0);
  assert.equal((await exec()).code, 3);
});

test('a revoked key stops what it signed, and an unknown one never starts it', confined, async (t) => {
  const place = await world(t);
  await installFixture(place, { behaviour: 'echo' });
  assert.equal((await place.run('key', 'revoke', 'default', '--reason', 'stolen')).code, 0);
  const revoked = await place.run('plugin', 'exec', 'echo', 'run', '--json');
  assert.equal(revoked.code, 4);
  assert.equal((revoked.json() as { error: { name: string } }).error.name, 'KEY_REVOKED');
  const other = await world(t);
  const untrusted = await other.run('plugin', 'install', join(place.directory, 'echo'), '--json');
  assert.equal(untrusted.code, 4);
  assert.equal((untrusted.json() as { error: { name: string } }).error.name, 'SIGNATURE_UNTRUSTED');
});

test('an unsigned plugin is installed only by its name, and the audit log says so', confined, async (t) => {
  const place = await world(t);
  const folder = copyFixture({ behaviour: 'echo' }, place.directory);
  assert.equal((await place.run('plugin', 'install', folder)).code, 4);
  assert.equal((await place.run('plugin', 'install', folder, '--allow-unsigned', 'other')).code, 2);
  const installed = await place.run('plugin', 'install', folder, '--allow-unsigned', 'echo');
  assert.equal(installed.code, 0, installed.stderr);
  assert.equal((await place.run('plugin', 'exec', 'echo', 'run', '--input', '3', '--json')).json().output, 3);
  assert.match(audit(place), /"action":"override"/);
});

test('a plugin runs without a sandbox only when it is named, and the audit log says so', confined, async (t) => {
  const place = await world(t);
  await installFixture(place, { behaviour: 'echo' });
  assert.equal((await place.run('plugin', 'exec', 'echo', 'run', '--unconfined', 'other')).code, 2);
  assert.doesNotMatch(audit(place), /sandbox_none/);
  const ran = await place.run('plugin', 'exec', 'echo', 'run', '--input', '5', '--unconfined', 'echo', '--json');
  assert.equal(ran.json().output, 5, ran.stdout);
  assert.match(audit(place), /"action":"sandbox_none"/);
});

test('disable, enable, logs, info and remove do what they say', confined, async (t) => {
  const place = await world(t);
  await installFixture(place, { behaviour: 'prints-to-stdout' });
  const id = 'prints_to_stdout';
  assert.equal((await place.run('plugin', 'exec', id, 'run', '--input', '1')).code, 0);
  assert.match((await place.run('plugin', 'logs', id)).stdout, /stdout .*booting up/);
  assert.match((await place.run('plugin', 'info', id)).stdout, /tool run[\s\S]*network\s+enforced/);
  assert.equal((await place.run('plugin', 'disable', id)).code, 0);
  assert.equal((await place.run('plugin', 'exec', id, 'run')).code, 1);
  assert.equal((await place.run('plugin', 'enable', id)).code, 0);
  assert.equal((await place.run('plugin', 'exec', id, 'run')).code, 0);
  assert.equal((await place.run('plugin', 'remove', id)).code, 0);
  assert.equal((await place.run('plugin', 'exec', id, 'run')).code, 5);
  assert.deepEqual(readdirSync(join(place.home, 'plugins')), []);
  assert.equal((await place.run('plugin', 'remove', id)).code, 5);
});

function audit(place: World): string {
  return readFileSync(join(place.home, 'audit', 'audit.jsonl'), 'utf8');
}
