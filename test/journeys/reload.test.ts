import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { installVersion, versionFolder } from '../support/versions.ts';

test('a newer archive is installed over the version before, and a rollback goes back to it', confined, async (t) => {
  const { host, home, directory } = await fixtureHost(t, []);
  await installVersion(host, directory, 'updated', '1.0.0');
  const folder = await versionFolder(host, directory, 'updated', '1.1.0');
  const archive = join(directory, 'updated-1.1.0.mmmp');
  await host.package(folder, archive);
  const type = (...words: string[]) => mmm({ home }, 'plugin', ...words);
  const unknown = await versionFolder(host, directory, 'unknown', '1.0.0');
  assert.equal((await type('update', unknown)).code, 5, 'an update is of something that is there');
  const updated = await type('update', archive);
  assert.equal(updated.code, 0, updated.stderr);
  assert.match(updated.stdout, /^Updated updated from 1\.0\.0 to 1\.1\.0, signed/);
  const version = async (): Promise<string> => {
    const { stdout } = await type('exec', 'updated', 'run', '--input', '{}', '--json');
    return (JSON.parse(stdout) as { output: { version: string } }).output.version;
  };
  assert.equal(await version(), '1.1.0');
  const back = await type('rollback', 'updated', '--json');
  assert.deepEqual(JSON.parse(back.stdout), { id: 'updated', version: '1.0.0', replaced: '1.1.0', reload: null });
  assert.equal(await version(), '1.0.0');
  const restarted = await type('restart', 'updated', '--json');
  const { outcome, generation } = JSON.parse(restarted.stdout) as { outcome: string; generation: number };
  assert.deepEqual([outcome, generation], ['started', 0]);
  assert.equal((await type('remove', 'updated')).code, 0);
  assert.deepEqual(
    readdirSync(join(home, 'store')).filter((name) => name.length === 64),
    [],
  );
  assert.equal((await type('rollback', 'updated')).code, 5);
});

test('the lines of a log are chosen by level and by time', confined, async (t) => {
  const { home } = await fixtureHost(t, ['echo']);
  const type = (...words: string[]) => mmm({ home }, 'plugin', ...words);
  assert.equal((await type('exec', 'echo', 'run', '--input', '1')).code, 0);
  const lines = async (...words: string[]): Promise<number> => {
    const { stdout } = await type('logs', 'echo', '--json', ...words);
    return (JSON.parse(stdout) as { lines: unknown[] }).lines.length;
  };
  const all = await lines();
  assert.ok(all >= 2);
  assert.equal(await lines('--since', '1h', '--level', 'info'), all);
  assert.equal(await lines('--level', 'error'), 0);
  assert.equal(await lines('--since', '2001-01-01'), all);
  assert.equal((await type('logs', 'echo', '--level', 'loud')).code, 2);
  assert.equal((await type('logs', 'echo', '--since', 'yesterday')).code, 2);
});
