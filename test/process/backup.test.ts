import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHost, type Host, MmmError } from '@mmm/host';
import { DatabaseSync } from '@photostructure/sqlite';
import { mmm } from '../support/cli.ts';
import { runDaemonProcess } from '../support/daemon.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

interface Ran {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The command as a process of its own: SQLite lets go of what this one had open only some time later. */
function run(home: string, ...words: string[]): Promise<Ran> {
  const program = join(import.meta.dirname, '../support/mmm-process.ts');
  const node = ['--import', 'tsx', '--conditions=mmm-source', program, ...words, '--home', home];
  return new Promise((resolve) => {
    execFile(process.execPath, node, { timeout: 60_000 }, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr });
    });
  });
}

/** A home with a plugin, a grant, a secret, settings, values and a log. */
async function full(t: TestContext): Promise<{ host: Host; home: string; directory: string; file: string }> {
  const { host, home, directory } = await fixtureHost(
    t,
    [{ behaviour: 'asks-the-host', more: '[[permissions.state]]\nscope = "global"\nreason = "keeps"\n' }],
    { settings: '[limits]\nmemory_mb = 300\n' },
  );
  await host.state.set({ plugin: 'asks_the_host' }, 'k', { a: 1 });
  await host.state.set('global', 'shared', 'before');
  return { host, home, directory, file: join(directory, 'home.backup') };
}

test('a backup made while the host runs holds what it must, and another home is made of it', async (t) => {
  const { host, home, directory, file } = await full(t);
  const report = await host.backup(file);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.ok(readdirSync(directory).every((name) => !name.endsWith('.new')));
  for (const path of ['state.db', 'config.toml', 'trust.json', 'audit/audit.jsonl']) {
    assert.ok(report.contents.includes(path), path);
  }
  assert.ok(report.contents.some((path) => path.startsWith('keys/')));
  assert.equal(host.audit.list({ action: 'backup' }).length, 1);
  await host.state.set('global', 'shared', 'after');

  const other = join(directory, 'other');
  const restored = await run(other, 'restore', file, '--json');
  assert.equal(restored.code, 0, restored.stderr);
  await using next = await createHost({ home: other });
  assert.deepEqual(await next.state.get('global', 'shared'), { value: 'before', version: 1 });
  assert.equal(readFileSync(join(other, 'config.toml'), 'utf8'), readFileSync(join(home, 'config.toml'), 'utf8'));
  assert.deepEqual(await next.keys.list(), await host.keys.list());
  const { problem } = next.audit.verify();
  assert.equal(problem, undefined);
  assert.equal(next.audit.list({ limit: 1 })[0]?.action, 'restore');
  assert.ok(readdirSync(other).every((name) => !name.startsWith('.restore') && name !== 'restoring'));
  // The plugin is not in it; installed again it has its decisions.
  await next.install(join(directory, 'asks_the_host'));
  const { permissions } = await next.permissions('asks_the_host');
  assert.equal(permissions.find(({ key }) => key === 'state=global')?.status, 'granted');
  assert.deepEqual((await next.state.get({ plugin: 'asks_the_host' }, 'k')).value, { a: 1 });
});

test('a restore is refused over an open host, keeps what was there, and revocations hold', async (t) => {
  const { host, home, file } = await full(t);
  const made = await mmm({ home }, 'backup', file);
  assert.equal(made.code, 0, made.stderr);
  const again = await mmm({ home }, 'backup', file, '--json');
  assert.equal((again.json().error as { name: string }).name, 'BACKUP_INVALID');
  await host.state.set('global', 'shared', 'after');
  await host.revokeKey('test', 'it leaked');
  const refused = await run(home, 'restore', file, '--json');
  assert.equal((JSON.parse(refused.stdout) as { error: { name: string } }).error.name, 'HOME_IN_USE');
  assert.equal((await host.state.get('global', 'shared')).value, 'after');
  await host.close();

  const path = await elsewhere(t, home);
  const restored = await run(path, 'restore', file, '--json');
  assert.equal(restored.code, 0, restored.stderr + restored.stdout);
  const { before } = JSON.parse(restored.stdout) as { before: string };
  for (const name of ['state.db', 'trust.json', 'config.toml', 'audit', 'keys']) {
    assert.ok(existsSync(join(before, name)), name);
  }
  await using next = await createHost({ home: path });
  assert.equal((await next.state.get('global', 'shared')).value, 'before');
  const [key] = next.trust.list().filter(({ name }) => name === 'test');
  assert.ok(key !== undefined && next.trust.revocationOf(key.keyid) !== undefined);
  assert.equal(next.audit.verify().problem, undefined);
});

/** A copy of a home that no process has open. */
async function elsewhere(t: TestContext, home: string): Promise<string> {
  const { cpSync } = await import('node:fs');
  const copy = join(tempFolder(t), 'copy');
  cpSync(home, copy, { recursive: true, verbatimSymlinks: true });
  return copy;
}

test('what is no backup, is damaged, newer or holds anything else is refused and changes nothing', async (t) => {
  const { host, home, directory, file } = await full(t);
  await host.backup(file);
  await host.close();
  const path = await elsewhere(t, home);
  const changed = (name: string, sql: string): string => {
    const copy = join(directory, name);
    writeFileSync(copy, readFileSync(file));
    const database = new DatabaseSync(copy);
    database.exec(sql);
    database.close();
    return copy;
  };
  const text = join(directory, 'text.backup');
  writeFileSync(text, 'not a backup at all');
  const torn = join(directory, 'torn.backup');
  writeFileSync(torn, readFileSync(file).subarray(0, 40_000));
  const cases: readonly (readonly [string, RegExp])[] = [
    [join(directory, 'missing.backup'), /there is no such file/],
    [text, /not a database/],
    [torn, /damaged|malformed/],
    [changed('newer.backup', 'PRAGMA user_version = 2'), /newer mmm/],
    [changed('other.backup', 'PRAGMA application_id = 1'), /not a backup that mmm made/],
    [changed('escape.backup', "INSERT INTO files VALUES ('keys/../../x', 0, '')"), /which no backup has/],
    [
      changed('bytes.backup', "UPDATE pieces SET data = x'00' WHERE path = 'trust.json'"),
      /trust.json in it is damaged/,
    ],
    [changed('gone.backup', "DELETE FROM pieces WHERE path = 'state.db'"), /state.db in it is damaged/],
  ];
  const before = readdirSync(path).sort();
  for (const [backup, reason] of cases) {
    const { restoreHome } = await import('@mmm/host');
    await assert.rejects(restoreHome(path, backup), (error) => {
      assert.ok(MmmError.is(error, 'BACKUP_INVALID'), `${backup}: ${String(error)}`);
      assert.match(error.message, reason);
      return true;
    });
  }
  assert.deepEqual(readdirSync(path).sort(), before);
});

test('values and backups go through a running daemon, over which nothing is restored', async (t) => {
  const { host, home, directory, file } = await full(t);
  await host.close();
  const path = await elsewhere(t, home);
  await runDaemonProcess(t, path);
  const type = (...words: string[]) => mmm({ home: path, cwd: directory }, ...words);
  assert.match((await type('state', 'set', '--global', 'by', '"the daemon"')).stdout, /version 1/);
  assert.equal((await type('state', 'get', '--global', 'by')).stdout, 'the daemon\n');
  assert.match((await type('state', 'list', '--plugin', 'asks_the_host')).stdout, /\nk +1\n$/);
  assert.equal((await type('state', 'delete', '--global', 'by', '--if-version', '9')).code, 1);
  const made = await type('backup', 'home.backup', '--json');
  assert.equal(made.code, 0, made.stderr);
  assert.equal(made.json().file, file);
  const refused = await run(path, 'restore', file);
  assert.match(refused.stderr, /is in use.*mmm daemon stop/s);
  assert.equal((await type('state', 'get', '--global', 'by')).code, 0);
});

test('a damaged state file is said by the command that meets it and by the doctor', async (t) => {
  const { host, home } = await full(t);
  await host.close();
  const path = await elsewhere(t, home);
  for (const companion of ['-wal', '-shm']) rmSync(join(path, `state.db${companion}`), { force: true });
  writeFileSync(join(path, 'state.db'), 'damaged'.repeat(2000));
  const met = await mmm({ home: path }, 'plugin', 'list');
  assert.equal(met.code, 0);
  assert.match(met.stderr, /was damaged .* set aside as .*state\.db\.damaged-/);
  assert.match(met.stdout, /asks_the_host +1\.0\.0 +disabled/);
  assert.equal((await mmm({ home: path }, 'plugin', 'list')).stderr, '');
  const doctor = await mmm({ home: path }, 'doctor');
  assert.match(doctor.stdout, /state: .*damaged.* was damaged and set aside/);
  assert.match((await mmm({ home: path }, 'audit', 'list')).stdout, /state_set_aside/);
  assert.equal((await mmm({ home: path }, 'audit', 'verify')).code, 0);
});
