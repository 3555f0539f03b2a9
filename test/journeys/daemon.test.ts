import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createHost } from '@mmm/host';
import { confined } from '../support/confined.ts';
import { mmmProcess, runDaemonProcess } from '../support/daemon.ts';
import { followReadme, python, runProgram, snippets } from '../support/documents.ts';
import { tempFolder } from '../support/temp-folder.ts';

async function type(t: Parameters<typeof tempFolder>[0], home: string, line: string): Promise<string> {
  const typed = mmmProcess(t, home, ...line.split(' ').slice(1));
  assert.equal(await typed.exited, 0, `${line}\n${typed.stderr.text}`);
  return typed.stdout.text;
}

test('the commands of the daemon guide work as they are written there', async (t) => {
  const home = join(tempFolder(t), 'home');
  t.after(() => mmmProcess({ after: () => undefined }, home, 'daemon', 'stop').exited);
  const printed: string[] = [];
  for (const block of snippets('docs/daemon.md', 'sh')) {
    for (const line of block.trim().split('\n')) printed.push(await type(t, home, line));
  }
  const [started = '', status = '', plugins = '', stopped = '', safe = '', , , , reloaded = ''] = printed;
  assert.match(started, new RegExp(`^Serving ${home}: pid \\d+, mmm `));
  assert.match(status, new RegExp(`^Serving ${home}: pid \\d+, mmm `));
  assert.match(plugins, /^No plugins/);
  assert.equal(stopped, `Stopped the daemon of ${home}.\n`);
  assert.match(safe, /SAFE: no plugin is started/);
  assert.match(reloaded, /settings {2}.*config\.toml, as it was at /);
  assert.match(printed.at(-2) ?? '', /^\[Unit\]\n/);
  assert.match(printed.at(-1) ?? '', /^<\?xml /);
});

test('the list of plugins in the guide is one that a host takes', async (t) => {
  const home = join(tempFolder(t), 'home');
  mkdirSync(home, { mode: 0o700 });
  writeFileSync(join(home, 'config.toml'), snippets('docs/daemon.md', 'toml')[0] ?? '', { mode: 0o600 });
  const host = await createHost({ home });
  t.after(() => host.close());
  const listed = await host.listedPlugins();
  assert.deepEqual(
    listed.map(({ plugin, start, problem }) => [plugin, start, problem]),
    [
      ['hello', true, 'there is no plugin in /srv/plugins/hello'],
      ['weather', false, null],
    ],
  );
});

test('a program uses the daemon as it is written in the guide', { ...confined, ...python }, async (t) => {
  const { home } = await followReadme(t);
  await runDaemonProcess(t, home);
  assert.equal(runProgram(t, snippets('docs/daemon.md', 'ts')[0] ?? '', home), 'hello stopped\nHello, Ada!\n');
});

const verifier = spawnSync('systemd-analyze', ['--version']);

test('the unit that is printed is one that systemd takes', {
  ...(verifier.status === 0 ? {} : { skip: 'systemd-analyze is not installed' }),
}, async (t) => {
  const directory = tempFolder(t);
  const home = join(directory, 'a home with 100 % of "everything"');
  const file = join(directory, 'mmm.service');
  const printed = mmmProcess(t, home, 'daemon', 'install', '--format', 'systemd');
  assert.equal(await printed.exited, 0, printed.stderr.text);
  writeFileSync(file, printed.stdout.text);
  const verified = spawnSync('systemd-analyze', ['verify', '--man=no', file], { encoding: 'utf8' });
  assert.equal(verified.status, 0, verified.stderr);
});

test('the property list that is printed is well formed, whatever the home is called', python, async (t) => {
  const home = join(tempFolder(t), 'a <home> & more');
  const printed = mmmProcess(t, home, 'daemon', 'install', '--format', 'launchd');
  assert.equal(await printed.exited, 0, printed.stderr.text);
  const read = 'import plistlib, sys; print(plistlib.loads(sys.stdin.buffer.read())["ProgramArguments"][-1])';
  const parsed = spawnSync('python3', ['-c', read], { input: printed.stdout.text, encoding: 'utf8' });
  assert.equal(parsed.stdout, `${home}\n`, parsed.stderr);
});
