import assert from 'node:assert/strict';
import { appendFileSync, chmodSync, existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type CliResult, mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { copyFixture, type Fixture } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

interface Place {
  readonly directory: string;
  readonly home: string;
  run(...argv: string[]): Promise<CliResult>;
}

/** A folder to work in, and an empty home with a key. */
async function place(t: Pick<TestContext, 'after'>): Promise<Place> {
  const directory = tempFolder(t);
  const home = join(directory, 'home');
  const run = (...argv: string[]): Promise<CliResult> => mmm({ home, cwd: directory }, ...argv);
  assert.equal((await run('key', 'new')).code, 0);
  return { directory, home, run };
}

async function signed({ directory, run }: Place, fixture: Fixture): Promise<string> {
  const folder = copyFixture(fixture, directory);
  const done = await run('plugin', 'sign', folder);
  assert.equal(done.code, 0, done.stderr);
  return folder;
}

const commandLine = (text: string): string[] => text.split(' ');

test('a folder that is there is installed and verified however its path is spelt', async (t) => {
  const { directory, run, home } = await place(t);
  mkdirSync(join(directory, 'plugins'));
  await signed({ directory: join(directory, 'plugins'), home, run }, { behaviour: 'echo' });
  const installed = await run('plugin', 'install', 'plugins/echo');
  assert.equal(installed.code, 0, installed.stderr);
  assert.match(installed.stdout, /^Installed echo 1\.0\.0/);
  assert.match((await run('plugin', 'verify', 'plugins/echo')).stdout, /echo 1\.0\.0 in .*plugins\/echo is intact/);
  assert.match((await run('plugin', 'verify', 'echo')).stdout, /echo 1\.0\.0 as installed is intact/);
  const nothing = await run('plugin', 'install', 'plugins/eco');
  assert.equal(nothing.code, 2);
  assert.match(nothing.stderr, /There is no folder "plugins\/eco"/);
  assert.doesNotMatch(nothing.stderr, /\.\/plugins/);
  writeFileSync(join(directory, 'file'), '');
  assert.match((await run('plugin', 'install', 'file')).stderr, /\.\/file is a file/);
});

test('a public key can be copied from `key list`, and a wrong one is refused with where one is found', async (t) => {
  const { run } = await place(t);
  const listed = (await run('key', 'list')).stdout;
  const own = ((await run('key', 'list', '--json')).json().own as { public_key: string }[])[0]?.public_key ?? '';
  assert.ok(listed.includes(own) && own.length === 44);
  const wrong = await run('key', 'trust', 'AAAA', '--name', 'acme', '--scope', '*');
  assert.match(wrong.stderr, /the base64 line that `mmm key new` and `mmm key list` print/);
  assert.equal(wrong.stderr.trim().split('\n').length, 2);
});

test('errors as JSON carry number, name, message and data with keys in snake case', async (t) => {
  const { run } = await place(t);
  const result = (await run('plugin', 'info', 'nobody', '--json')).json() as { error: Record<string, unknown> };
  assert.deepEqual(Object.keys(result.error), ['code', 'name', 'message', 'data']);
  assert.equal(result.error.code, 'E0110');
  assert.equal(result.error.name, 'PLUGIN_NOT_FOUND');
});

test('trust in a key is not taken from it by accident', async (t) => {
  const { run } = await place(t);
  const made = (await mmm({ home: join(tempFolder(t), 'home') }, 'key', 'new', '--json')).json();
  const key = String(made.public_key);
  const trust = (...words: string[]): Promise<CliResult> => run('key', 'trust', key, ...words);
  assert.match(
    (await trust('--name', 'acme', '--scope', 'acme/*')).stdout,
    /^Trusted as "acme" for acme\/\*\.\n {2}fingerprint {2}(?:[0-9a-f]{4} ?){16}$/m,
  );
  const wider = await trust('--name', 'acme', '--scope', 'acme/*', 'other');
  assert.match(wider.stdout, /as "acme" for acme\/\*, other; it was "acme" for acme\/\*\./);
  assert.match((await trust('--name', 'acme', '--scope', 'acme/*', 'other')).stdout, /already/);
  for (const words of [
    ['--name', 'acme', '--scope', 'acme/one'],
    ['--name', 'renamed', '--scope', 'acme/*', 'other'],
  ]) {
    const refused = await trust(...words);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /E0208.*as "acme" for acme\/\*, other\..*--replace/);
  }
  assert.equal((await trust('--name', 'renamed', '--scope', 'acme/one', '--replace')).code, 0);
  const own = ((await run('key', 'list', '--json')).json().own as { public_key: string }[])[0]?.public_key ?? '';
  const refused = await run('key', 'trust', own, '--name', 'default', '--scope', 'acme/*');
  assert.match(refused.stderr, /E0208.*one of your own keys/);
});

test('a revoked key of one’s own signs nothing', async (t) => {
  const { directory, run } = await place(t);
  assert.equal((await run('key', 'revoke', 'default')).code, 0);
  const refused = await run('plugin', 'sign', copyFixture({ behaviour: 'echo' }, directory));
  assert.equal(refused.code, 4);
  assert.match(refused.stderr, /E0209.*was revoked on.*mmm key new/);
  assert.equal(existsSync(join(directory, 'echo', '.mmm')), false);
});

const asksForFiles = (path: string): string => `[[permissions.filesystem]]\npath = "${path}"\naccess = "read"\n`;

test('an installed plugin that lacks decisions says so: exit 3, the list, and a line to paste', async (t) => {
  const there = await place(t);
  const folder = join(there.directory, "it's here");
  mkdirSync(folder);
  await signed(there, { behaviour: 'echo', more: asksForFiles(folder) });
  const installed = await there.run('plugin', 'install', 'echo');
  assert.equal(installed.code, 3);
  const line = installed.stdout.split('\n').find((text) => text.startsWith('  mmm plugin grant'));
  assert.ok(line?.includes(`'filesystem=read:${folder.replace("'", "'\\''")}'`), installed.stdout);
  assert.match((await there.run('plugin', 'list')).stdout, /echo +1\.0\.0 +needs consent/);
  const listed = (await there.run('plugin', 'list', '--json')).json().plugins as { needs_consent: boolean }[];
  assert.equal(listed[0]?.needs_consent, true);
  assert.ok((await there.run('plugin', 'info', 'echo')).stdout.includes(line ?? '-'));
  assert.match((await there.run('plugin', 'install', '--help')).stdout, /exit code 3/);
  assert.equal((await there.run('plugin', 'grant', 'echo', `filesystem=read:${folder}`)).code, 0);
  assert.match((await there.run('plugin', 'list')).stdout, /echo +1\.0\.0 +stopped/);
});

test('--lines takes whole numbers of at least 1', async (t) => {
  const there = await place(t);
  await signed(there, { behaviour: 'echo' });
  assert.equal((await there.run('plugin', 'install', 'echo')).code, 0);
  for (const lines of ['0', '-1', '1.5', 'all', '']) {
    const refused = await there.run('plugin', 'logs', 'echo', `--lines=${lines}`);
    assert.equal(refused.code, 2, lines);
    assert.match(refused.stderr, /--lines takes a whole number/);
  }
  assert.equal((await there.run('plugin', 'logs', 'echo', '--lines', '1')).code, 0);
});

test('uninstall, ls and run are other names of remove, list and exec', async (t) => {
  const { run } = await place(t);
  assert.match((await run('plugin', 'ls')).stdout, /No plugins/);
  assert.match((await run('plugin', 'uninstall', 'nobody')).stderr, /E0110/);
  assert.match((await run('plugin', 'run', 'nobody', 'x')).stderr, /E0110/);
});

test('an error says the next step once, for the plugin it is about', async (t) => {
  const there = await place(t);
  await signed(there, { behaviour: 'echo' });
  assert.equal((await there.run('plugin', 'install', 'echo')).code, 0);
  await there.run('plugin', 'disable', 'echo');
  const disabled = await there.run('plugin', 'exec', 'echo', 'run');
  assert.equal(disabled.stderr.match(/mmm plugin enable/g)?.length, 1);
  const unknown = await there.run('plugin', 'exec', 'echo', 'nothing_like_it');
  assert.doesNotMatch(unknown.stderr, /<plugin>/);
  const usage = await there.run('plugin', 'exec', 'echo');
  assert.match(usage.stderr, /\n {2}Usage: mmm plugin exec \[options\] <plugin> <capability>\n/);
  assert.match(usage.stderr, /More: mmm plugin exec --help\n$/);
});

test('commands that only look make no home', async (t) => {
  const directory = tempFolder(t);
  const home = join(directory, 'deep', 'home');
  const looks = [
    'plugin list',
    'plugin stats',
    'plugin info x',
    'plugin logs x',
    'key list',
    'doctor',
    'help',
    'help 203',
  ];
  for (const words of looks) await mmm({ home, cwd: directory }, ...commandLine(words));
  assert.deepEqual(readdirSync(directory), []);
  const doctor = await mmm({ home, cwd: directory }, 'doctor');
  assert.match(doctor.stdout, /home: .*deep\/home is not there yet/);
  assert.match(doctor.stdout, /settings: as by default: there is no .*deep\/home\/config\.toml/);
  const backup = await mmm({ home, cwd: directory }, 'backup', 'nothing.backup');
  assert.equal(backup.code, 1);
  assert.match(backup.stderr, /There is no home .*deep\/home, so there is nothing to back up\. Name yours with --home/);
  assert.deepEqual(readdirSync(directory), []);
});

test('info shows what a capability takes', async (t) => {
  const there = await place(t);
  const manifest = `schema = 1
[plugin]
name = "echo"
version = "1.0.0"
description = "A fixture"
license = "MIT"
command = ["node", "main.cjs"]
[[capabilities]]
kind = "tool"
name = "run"
title = "Run it"
description = "Gives back what it gets."
input = { type = "object", required = ["text"], properties = { text = { type = "string", description = "The text." } } }
[[capabilities]]
kind = "tool"
name = "other"
input = "other.json"
`;
  const folder = await copyAndSign(there, manifest, {
    'other.json': '{"properties":{"n":{"type":["integer","null"]}}}',
  });
  assert.equal((await there.run('plugin', 'install', folder)).code, 0);
  const { stdout } = await there.run('plugin', 'info', 'echo');
  assert.match(
    stdout,
    /tool run: Run it\n {4}Gives back what it gets\.\n {4}input\n {6}text: string, required\. The text\./,
  );
  assert.match(stdout, /n: integer or null\n/);
  const info = (await there.run('plugin', 'info', 'echo', '--json')).json() as Record<string, unknown>;
  assert.ok('needs_consent' in info && 'bundle_sha256' in info);
  assert.deepEqual((info.manifest as { capabilities: { timeout_s?: number }[] }).capabilities.length, 2);
});

async function copyAndSign(there: Place, manifest: string, files: Record<string, string>): Promise<string> {
  const folder = copyFixture({ behaviour: 'echo', manifest }, there.directory);
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const done = await there.run('plugin', 'sign', folder);
  assert.equal(done.code, 0, done.stderr);
  return folder;
}

test('doctor gives reasons, and finds a changed file of the store and an edited audit log', async (t) => {
  const there = await place(t);
  await signed(there, { behaviour: 'echo' });
  assert.equal((await there.run('plugin', 'install', 'echo')).code, 0);
  const fine = await there.run('doctor');
  assert.match(fine.stdout, /✓ installed plugins: 1 of 1 intact/);
  assert.match(fine.stdout, /✓ audit log: \d+ entries/);
  assert.match(fine.stdout, /! confinement of memory: \w+/);
  const [bundle = ''] = readdirSync(join(there.home, 'store')).filter((name) => /^[0-9a-f]{64}$/.test(name));
  const file = join(there.home, 'store', bundle, 'main.cjs');
  chmodSync(file, 0o644);
  appendFileSync(file, '// changed');
  const audit = join(there.home, 'audit', 'audit.jsonl');
  appendFileSync(audit, '{"seq":99}\n');
  const found = await there.run('doctor');
  assert.equal(found.code, 7);
  assert.match(found.stdout, /✗ plugin echo: /);
  assert.match(found.stdout, /✗ audit log: line \d+ of /);
});

test('JSON documents spell their keys in snake case, and leave what is not theirs alone', confined, async (t) => {
  const there = await place(t);
  await signed(there, { behaviour: 'echo' });
  const installed = (await there.run('plugin', 'install', 'echo', '--json')).json() as {
    trust: object;
    change: string;
  };
  assert.deepEqual(Object.keys(installed.trust).sort(), ['fingerprint', 'key_name', 'keyid', 'kind', 'publisher']);
  assert.equal(installed.change, 'installed');
  const called = await there.run('plugin', 'exec', 'echo', 'run', '--input', '{"camelCase":{"andMore":1}}', '--json');
  assert.deepEqual(called.json().output, { camelCase: { andMore: 1 } });
  assert.equal(typeof called.json().duration_ms, 'number');
  const stats = (await there.run('plugin', 'stats', '--json')).json() as {
    plugins: { total_ms: number; histogram: { up_to_ms: number | null; calls: number }[] }[];
  };
  assert.equal(
    stats.plugins[0]?.histogram.reduce((sum, { calls }) => sum + calls, 0),
    1,
  );
  assert.equal(stats.plugins[0]?.histogram.at(-1)?.up_to_ms, null);
  const doctor = JSON.stringify((await there.run('doctor', '--json')).json());
  for (const text of [doctor, JSON.stringify(stats)]) assert.doesNotMatch(text, /"[a-z]+[A-Z]\w*":/);
});

test(
  'input from a file may begin with a byte order mark, and a file named as JSON is pointed out',
  confined,
  async (t) => {
    const there = await place(t);
    await signed(there, { behaviour: 'echo' });
    assert.equal((await there.run('plugin', 'install', 'echo')).code, 0);
    writeFileSync(join(there.directory, 'in.json'), '\uFEFF{"a":1}');
    const exec = (...words: string[]): Promise<CliResult> =>
      there.run('plugin', 'exec', 'echo', 'run', '--input', ...words);
    assert.deepEqual(JSON.parse((await exec('@in.json')).stdout), { a: 1 });
    assert.match((await exec('in.json')).stderr, /--input @in\.json/);
    assert.match((await exec('-')).stderr, /There is nothing in standard input/);
  },
);

test('installing again says what became of the version before', async (t) => {
  const there = await place(t);
  const version = async (number: string): Promise<string> => {
    const lines = ['name = "echo"', `version = "${number}"`, 'description = "x"', 'license = "MIT"'];
    const manifest = ['schema = 1', '[plugin]', ...lines, 'command = ["node", "main.cjs"]'].join('\n');
    const folder = await copyAndSign(there, manifest, {});
    return (await there.run('plugin', 'install', folder, '--allow-downgrade')).stdout;
  };
  assert.match(await version('1.0.0'), /^Installed echo 1\.0\.0,/);
  assert.match(await version('1.0.0'), /^Reinstalled echo 1\.0\.0,/);
  assert.match(await version('1.10.0'), /^Updated echo from 1\.0\.0 to 1\.10\.0,/);
  assert.match(await version('1.9.0'), /^Downgraded echo from 1\.10\.0 to 1\.9\.0,/);
});
