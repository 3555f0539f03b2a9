import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createHost, type Host, type HostOptions } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { confined } from '../support/confined.ts';
import { copyFixture } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

interface Developed {
  readonly host: Host;
  readonly home: string;
  readonly folder: string;
  snapshots(): readonly string[];
}

async function developing(t: TestContext, behaviour = 'echo', options: Partial<HostOptions> = {}): Promise<Developed> {
  const directory = tempFolder(t);
  const home = join(directory, 'home');
  const folder = copyFixture({ behaviour }, directory);
  const host = await createHost({ home, development: { directory: folder }, ...options });
  t.after(() => host.close());
  const kept = join(home, 'development');
  return { host, home, folder, snapshots: () => (existsSync(kept) ? readdirSync(kept) : []) };
}

const isCode = (code: MmmError['code']) => (error: unknown) => error instanceof MmmError && error.code === code;

test('a host that was not told to develop a folder runs nothing of it', async (t) => {
  const directory = tempFolder(t);
  const host = await createHost({ home: join(directory, 'home') });
  t.after(() => host.close());
  await assert.rejects(host.develop(), isCode('CONFIG_INVALID'));
});

test('a folder on the search path is not developed by calling it so', async (t) => {
  const { folder, home } = await developing(t);
  const host = await createHost({
    home: `${home}-2`,
    searchPath: [{ directory: join(folder, '..'), origin: 'development' }],
  });
  t.after(() => host.close());
  assert.deepEqual(await host.list(), []);
});

test('what runs is a copy, unreadable to others and unchanged by what is saved meanwhile', confined, async (t) => {
  const { host, home, folder, snapshots } = await developing(t);
  const plugin = await host.develop();
  assert.equal(statSync(join(home, 'development')).mode & 0o777, 0o700);
  const [name = ''] = snapshots();
  writeFileSync(join(folder, 'main.cjs'), 'process.exit(1)');
  await plugin.stop();
  assert.equal((await plugin.execute('run', 'still')).output, 'still');
  assert.notEqual(readFileSync(join(home, 'development', name, 'main.cjs'), 'utf8'), 'process.exit(1)');
});

test('a generation that does not start leaves no copy, and the one before goes on', confined, async (t) => {
  const { host, folder, snapshots } = await developing(t);
  const first = await host.develop();
  const good = readFileSync(join(folder, 'main.cjs'));
  writeFileSync(join(folder, 'main.cjs'), 'process.exit(3)');
  await assert.rejects(host.develop(), isCode('LAUNCH_FAILED'));
  assert.equal(snapshots().length, 1);
  assert.equal((await first.execute('run', 1)).output, 1);
  writeFileSync(join(folder, 'main.cjs'), good);
  const [second, third] = await Promise.all([host.develop(), host.develop()]);
  assert.equal(snapshots().length, 1);
  await assert.rejects(first.execute('run', 1), isCode('HOST_CLOSED'));
  await assert.rejects(second.execute('run', 1), isCode('HOST_CLOSED'));
  assert.equal((await third.execute('run', 2)).output, 2);
});

test('closing the host while a generation starts ends that too', confined, async (t) => {
  const { host, folder, snapshots } = await developing(t);
  // It reads and never answers initialize.
  writeFileSync(join(folder, 'main.cjs'), 'process.stdin.resume(); console.error("waiting");');
  const failed = assert.rejects(host.develop());
  await host.close();
  await failed;
  assert.deepEqual(snapshots(), []);
});

test('lines of the log are told as they come', confined, async (t) => {
  const lines: string[] = [];
  const onLog = (plugin: string, { stream, message }: { stream: string; message: string }): void => {
    lines.push(`${plugin} ${stream} ${message}`);
    throw new Error('nobody is harmed by this');
  };
  const { host } = await developing(t, 'prints-to-stdout', { onLog });
  const plugin = await host.develop();
  await plugin.execute('run', {});
  assert.ok(
    lines.some((line) => line.startsWith('prints_to_stdout stdout ')),
    lines.join('\n'),
  );
});
