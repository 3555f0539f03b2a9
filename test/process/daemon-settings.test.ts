import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { mmm } from '../support/cli.ts';
import { type RunningDaemon, runDaemonProcess } from '../support/daemon.ts';
import { copyFixture, fixtureHost } from '../support/fixture-host.ts';

interface Served {
  readonly home: string;
  readonly directory: string;
  readonly daemon: RunningDaemon;
  write(text: string): void;
  status(): Promise<{ settings: { problem: string | null; applied_at: string }; plugins: { plugin: string }[] }>;
  json(...argv: string[]): Promise<Record<string, unknown>>;
}

async function served(
  t: TestContext,
  settings: string,
  ...fixtures: Parameters<typeof fixtureHost>[1]
): Promise<Served> {
  const { host, home, directory } = await fixtureHost(t, fixtures);
  await host.close();
  chmodSync(directory, 0o755);
  const write = (text: string): void => writeFileSync(join(home, 'config.toml'), text, { mode: 0o600 });
  write(settings);
  const daemon = await runDaemonProcess(t, home);
  const json = async (...argv: string[]) => (await mmm({ home, cwd: directory }, ...argv, '--json')).json();
  return { home, directory, daemon, write, json, status: async () => (await json('daemon', 'status')) as never };
}

async function until<T>(look: () => Promise<T>, is: (value: T) => boolean): Promise<T> {
  for (;;) {
    const value = await look();
    if (is(value)) return value;
  }
}

const memoryOf = async ({ json }: Served): Promise<unknown> =>
  ((await json('plugin', 'info', 'echo')).limits as { memory_mb: number }).memory_mb;

test('the log of the daemon is bounded as [logs] says, also once that is changed', async (t) => {
  const place = await served(t, '[logs]\nfile_mb = 0.01\nfiles = 2\n');
  const logs = (): readonly string[] =>
    readdirSync(join(place.home, 'logs')).filter((one) => one.startsWith('mmm.daemon'));
  // Each reload is a line: as many as fill several files.
  for (let round = 0; round < 150; round += 1) await place.json('daemon', 'reload');
  assert.deepEqual(logs().toSorted(), ['mmm.daemon.jsonl', 'mmm.daemon.jsonl.1']);
  place.write('[logs]\nfile_mb = 0.01\nfiles = 1\n');
  for (let round = 0; round < 100; round += 1) await place.json('daemon', 'reload');
  assert.deepEqual(logs(), ['mmm.daemon.jsonl']);
});

test('SIGHUP has config.toml read again: limits, policy and supervision of the next launches follow it', async (t) => {
  const more = '[[permissions.network]]\nhost = "api.example.com:443"\nreason = "Calls it"\n';
  const place = await served(t, '[limits]\nmemory_mb = 300\n', 'echo', { behaviour: 'echo', name: 'caller', more });
  assert.equal(await memoryOf(place), 300);
  const called = await place.json('plugin', 'exec', 'caller', 'run', '--input', '1');
  assert.equal(called.output, 1, JSON.stringify(called));
  assert.equal((await place.json('plugin', 'disable', 'caller')).enabled, false);
  assert.equal((await place.json('plugin', 'enable', 'caller')).enabled, true);
  place.write('[limits]\nmemory_mb = 200\n[policy]\nrefuse = ["network"]\n');
  place.daemon.child.kill('SIGHUP');
  await until(
    () => memoryOf(place),
    (memory) => memory === 200,
  );
  const refused = await place.json('plugin', 'exec', 'caller', 'run', '--input', '1');
  assert.equal((refused.error as { name: string }).name, 'PERMISSION_DENIED', JSON.stringify(refused));
  assert.equal((await place.status()).settings.problem, null);
});

test('a changed config.toml is taken over by itself', async (t) => {
  const place = await served(t, '[limits]\nmemory_mb = 300\n', 'echo');
  place.write('[limits]\nmemory_mb = 222\n');
  await until(
    () => memoryOf(place),
    (memory) => memory === 222,
  );
});

test('a faulty config.toml changes nothing, is named in status and log, and is gone when it is mended', async (t) => {
  const place = await served(t, '[limits]\nmemory_mb = 300\n', 'echo');
  place.write('[limits]\nmemory_mb = "plenty"\n');
  place.daemon.child.kill('SIGHUP');
  const faulty = await until(place.status, ({ settings }) => settings.problem !== null);
  assert.match(String(faulty.settings.problem), /config\.toml:2:\d+.*memory_mb/s);
  assert.equal((await mmm({ home: place.home }, 'daemon', 'status')).code, 7);
  assert.match((await mmm({ home: place.home }, 'daemon', 'status')).stdout, /NOT TAKEN OVER/);
  assert.equal(await memoryOf(place), 300);
  const called = await place.json('plugin', 'exec', 'echo', 'run', '--input', '1');
  assert.equal(called.output, 1);
  place.write('[limits]\nmemory_mb = 250\n');
  assert.equal((await place.json('daemon', 'reload')).running, true);
  assert.equal(await memoryOf(place), 250);
  assert.equal((await place.status()).settings.problem, null);
});

test('plugins listed by path and by command are found, started when that is wanted, and audited', async (t) => {
  const place = await served(t, '');
  const folder = copyFixture({ behaviour: 'echo', name: 'from_path' }, place.directory);
  const programs = join(place.directory, 'programs');
  mkdirSync(programs, { mode: 0o755 });
  const program = join(copyFixture({ behaviour: 'echo', name: 'program' }, programs), 'main.cjs');
  const listing = (unsigned: string): string => `
[[plugins]]
name = "from_path"
path = "${folder}"
start = true
${unsigned}

[[plugins]]
name = "from_command"
command = ["node", "${program}"]
allow_unsigned = "from_command"
start = true
capabilities = [{ kind = "tool", name = "run" }]
permissions = { filesystem = [{ path = "${programs}", access = "read", reason = "Its program lies there" }] }
grant = ["filesystem=read:${programs}"]
`;
  place.write(listing(''));
  const reloaded = (await place.json('daemon', 'reload')) as never as {
    plugins: { plugin: string; problem: string }[];
  };
  // What is not signed does not run because somebody listed it.
  assert.deepEqual(
    reloaded.plugins.map(({ plugin }) => plugin),
    ['from_path'],
    JSON.stringify(reloaded),
  );
  assert.match(reloaded.plugins[0]?.problem ?? '', /signature|signed/);
  place.write(listing('allow_unsigned = "from_path"'));
  assert.deepEqual((await place.json('daemon', 'reload')).plugins, []);
  const { plugins } = (await place.json('plugin', 'list')) as {
    plugins: { id: string; state: string; origin: string }[];
  };
  assert.deepEqual(
    plugins.map(({ id, state, origin }) => [id, state, origin]),
    [
      ['from_path', 'running', 'path'],
      ['from_command', 'running', 'path'],
    ],
  );
  for (const id of ['from_path', 'from_command']) {
    const called = await place.json('plugin', 'exec', id, 'run', '--input', '{"n":1}');
    assert.deepEqual(called.output, { n: 1 }, JSON.stringify(called));
    const { entries } = (await place.json('audit', 'list', '--plugin', id, '--action', 'launch')) as {
      entries: { detail: { trust: unknown } }[];
    };
    assert.deepEqual(entries[0]?.detail.trust, { kind: 'unsigned', exception: id });
  }
  place.write('');
  assert.equal((await place.json('daemon', 'reload')).running, true);
  assert.deepEqual((await place.json('plugin', 'list')).plugins, []);
});
