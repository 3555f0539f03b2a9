import assert from 'node:assert/strict';
import { cpSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { signPlugin } from '@mmm/host';
import { type CliResult, mmm } from '../support/cli.ts';
import { mmmProcess, runDaemonProcess } from '../support/daemon.ts';
import { copyFixture, fixtureHost } from '../support/fixture-host.ts';
import { mmmAtRealTerminal, withTerminal } from '../support/terminal.ts';

interface Place {
  readonly home: string;
  readonly directory: string;
  run(...argv: string[]): Promise<CliResult>;
}

async function place(t: TestContext, ...fixtures: Parameters<typeof fixtureHost>[1]): Promise<Place> {
  const { host, home, directory } = await fixtureHost(t, fixtures);
  await host.close();
  return { home, directory, run: (...argv) => mmm({ home, cwd: directory }, ...argv) };
}

/** What differs between two runs of one command without being its result. */
function steady(text: string, { home, directory }: Place): string {
  return text
    .replaceAll(home, 'HOME')
    .replaceAll(directory, 'DIRECTORY')
    .replace(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replace(
      /"(duration_ms|total_ms|max_ms|last_load_ms|cpu_ms|last_at_ms|archive_bytes|hash|prev|head)":("[^"]*"|[\d.]+)/g,
      '"$1":0',
    )
    .replace(/[0-9a-f]{4}( [0-9a-f]{4}){15}/g, 'FINGERPRINT')
    .replace(/[0-9a-f]{64}/g, 'SHA256')
    .replace(/"statement":"(?:[^"\\]|\\.)*"/g, '"statement":""')
    .replace(/mine-[0-9a-f]{8}/g, 'mine-before')
    .replace(/"[0-9a-f]{32}"/g, '"KEYID"')
    .replace(/"[A-Za-z0-9+/]{43}="/g, '"PUBLIC"');
}

async function outcomes(
  at: Place,
  commands: readonly (readonly string[])[],
): Promise<readonly (readonly [string, number, string])[]> {
  const all: (readonly [string, number, string])[] = [];
  for (const words of commands) {
    const { code, stdout } = await at.run(...words, '--json');
    all.push([words.join(' '), code, steady(stdout, at)]);
  }
  return all;
}

const pictures = '[[permissions.filesystem]]\npath = "/srv/pictures"\naccess = "read"\nreason = "Shows pictures"\n';

test('commands that look answer with a daemon what they answer without one', async (t) => {
  const at = await place(t, 'echo', { behaviour: 'configured', name: 'pet', more: pictures, grant: [] });
  const commands = [
    ['plugin', 'list'],
    ['plugin', 'info', 'echo'],
    ['plugin', 'info', 'pet'],
    ['plugin', 'info', 'ecco'],
    ['plugin', 'permissions', 'pet'],
    ['plugin', 'logs', 'echo'],
    ['plugin', 'logs', 'echo', '--lines', '0'],
    ['plugin', 'inspect', './pet'],
    ['plugin', 'inspect', 'echo'],
    ['plugin', 'verify', 'echo'],
    ['plugin', 'verify', './pet'],
    ['plugin', 'doctor', 'pet'],
    ['plugin', 'stats'],
    ['plugin', 'stats', 'nobody'],
    ['plugin', 'exec', 'echo', 'walk'],
    ['plugin', 'exec', 'nobody', 'run'],
    ['plugin', 'config', 'get', 'echo'],
    ['key', 'list'],
    ['key', 'export', 'test'],
    ['key', 'export', 'nobody'],
    ['key', 'revocations', 'list'],
    ['audit', 'list'],
    ['audit', 'list', '--plugin', 'pet', '--since', '1h'],
    ['audit', 'verify'],
    ['doctor'],
  ];
  const without = await outcomes(at, commands);
  await runDaemonProcess(t, at.home);
  const withDaemon = await outcomes(at, commands);
  for (const [index, expected] of without.entries()) assert.deepEqual(withDaemon[index], expected);
  const exported = await at.run('audit', 'export');
  const written = readFileSync(join(at.home, 'audit/audit.jsonl'), 'utf8');
  assert.ok(written.includes(exported.stdout.trim().split('\n')[0] ?? 'nothing'));
});

test('commands that change something do the same with a daemon as without one', async (t) => {
  const commands = [
    ['key', 'new', '--name', 'mine'],
    ['key', 'trust', 'kR2nF0aM5yYw8m5y0p8o2b6mJb0n4C6JQ8jv7u1m3Yg=', '--name', 'acme', '--scope', 'acme/*'],
    ['key', 'trust', 'nonsense', '--name', 'acme', '--scope', 'acme/*'],
    ['key', 'list'],
    ['plugin', 'sign', './pet', '--key', 'mine'],
    ['plugin', 'package', './pet'],
    ['plugin', 'install', './pet-1.0.0.mmmp'],
    ['plugin', 'install', './nothing-here'],
    ['plugin', 'exec', 'pet', 'run'],
    ['plugin', 'grant', 'pet', 'filesystem=read:/srv/pictures'],
    ['plugin', 'grant', 'pet', 'filesystem=read:/etc'],
    ['plugin', 'revoke', 'pet', 'filesystem=read:/srv/pictures'],
    ['plugin', 'disable', 'pet'],
    ['plugin', 'exec', 'echo', 'run', '--input', '{"a":[1,{"$date":"x","$$y":null}],"b":"ü"}'],
    ['plugin', 'enable', 'pet'],
    ['plugin', 'reset', 'pet'],
    ['plugin', 'remove', 'pet'],
    ['plugin', 'remove', 'pet'],
    ['key', 'rotate', 'mine', '--output', 'rotation.json'],
    ['key', 'revoke', 'acme', '--reason', 'stolen'],
    ['audit', 'list', '--limit', '50'],
  ];
  const both = await Promise.all(
    [false, true].map(async (withDaemon) => {
      const at = await place(t, 'echo');
      copyFixture({ behaviour: 'echo', name: 'pet', more: pictures }, at.directory);
      if (withDaemon) await runDaemonProcess(t, at.home);
      return await outcomes(at, commands);
    }),
  );
  const [without = [], withDaemon = []] = both;
  // Who called is said as it is: a plugin started by the daemon stays, and its launch is the daemon's.
  for (const [index, expected] of without.entries()) assert.deepEqual(withDaemon[index], expected);
});

test('a plugin of the project and ${project} in a permission mean the folder of whoever calls', async (t) => {
  const at = await place(t, { behaviour: 'does-as-told-javascript', name: 'reader', more: readsProject });
  const [left, right] = ['left', 'right'].map((name) => join(at.directory, name));
  for (const folder of [left, right]) {
    mkdirSync(folder ?? '', { mode: 0o755 });
    writeFileSync(join(folder ?? '', 'word.txt'), folder === left ? 'LEFT' : 'RIGHT', { mode: 0o644 });
  }
  await runDaemonProcess(t, at.home);
  for (const [folder, word] of [
    [left, 'LEFT'],
    [right, 'RIGHT'],
  ] as const) {
    const code = `require('fs').readFileSync('${folder}/word.txt', 'utf8')`;
    const input = JSON.stringify({ code });
    const called = await mmm({ home: at.home, cwd: folder ?? '' }, 'plugin', 'exec', 'reader', 'run', '--input', input);
    assert.equal(called.stdout, `ok ${word}\n`, called.stderr);
  }
  const plugins = join(left ?? '', '.mmm/plugins');
  mkdirSync(plugins, { recursive: true });
  const own = copyFixture({ behaviour: 'echo', name: 'local_pet' }, plugins);
  assert.ok(own.startsWith(plugins));
  const listed = async (cwd: string): Promise<unknown> =>
    ((await mmm({ home: at.home, cwd }, 'plugin', 'list', '--json')).json().plugins as { id: string }[]).map(
      ({ id }) => id,
    );
  assert.deepEqual(await listed(left ?? ''), ['reader', 'local_pet']);
  assert.deepEqual(await listed(right ?? ''), ['reader']);
});

const readsProject = '[[permissions.filesystem]]\npath = "${project}"\naccess = "read"\nreason = "Reads it"\n';

test('progress of a call reaches the client as it comes, and Ctrl-C cancels the call in the daemon', async (t) => {
  const at = await place(t, { behaviour: 'sleeps-in-call', command: ['python3', 'main.py'] });
  await runDaemonProcess(t, at.home);
  const call = mmmProcess(t, at.home, 'plugin', 'exec', 'sleeps_in_call', 'run');
  await call.stderr.until(/asleep/);
  call.child.kill('SIGINT');
  assert.equal(await call.exited, 130);
  assert.match(call.stderr.text, /The call of run of sleeps_in_call was cancelled\./);
});

test('the call of a client that vanishes is cancelled', async (t) => {
  const at = await place(t, { behaviour: 'sleeps-in-call', command: ['python3', 'main.py'] });
  await runDaemonProcess(t, at.home);
  const call = mmmProcess(t, at.home, 'plugin', 'exec', 'sleeps_in_call', 'run');
  await call.stderr.until(/asleep/);
  call.child.kill('SIGKILL');
  await call.exited;
  // It ignores the cancellation, and the call is over all the same.
  for (;;) {
    const { plugins } = (await at.run('plugin', 'stats', '--json')).json() as {
      plugins: { now: { in_flight: number } }[];
    };
    if (plugins[0]?.now.in_flight === 0) break;
  }
});

test('plugin logs --follow prints what is logged from then on, with a daemon and without', async (t) => {
  const at = await place(t, { behaviour: 'prints-to-stdout', name: 'chatty' });
  for (const withDaemon of [false, true]) {
    if (withDaemon) await runDaemonProcess(t, at.home);
    const follower = mmmProcess(t, at.home, 'plugin', 'logs', 'chatty', '--follow', '--json');
    assert.equal((await at.run('plugin', 'exec', 'chatty', 'run')).code, 0);
    await follower.stdout.until(/"message":"started with pid/);
    follower.child.kill('SIGINT');
    assert.equal(await follower.exited, 0, follower.stderr.text);
  }
});

test('a question about a permission is put to whoever made the call, through the daemon', withTerminal, async (t) => {
  const at = await place(t);
  const pet = copyFixture({ behaviour: 'echo', name: 'pet', more: pictures }, at.directory);
  mkdirSync(join(at.directory, 'srv'), { recursive: true });
  assert.equal((await at.run('plugin', 'sign', pet)).code, 0);
  assert.equal((await at.run('plugin', 'install', pet)).code, 3);
  await runDaemonProcess(t, at.home);
  // Somebody else, who cannot be asked, is told what to do instead.
  const scripted = await at.run('plugin', 'exec', 'pet', 'run', '--json');
  assert.equal((scripted.json().error as { name: string }).name, 'CONSENT_REQUIRED');
  const terminal = mmmAtRealTerminal(t, { home: at.home, cwd: at.directory }, 'plugin', 'exec', 'pet', 'run');
  await terminal.screen.until(/Its author says: "Shows pictures"/);
  await terminal.screen.until(/\[o\]nce, \[a\]lways, \[N\]o: /);
  terminal.press('n\n');
  assert.equal(await terminal.exited, 3, terminal.screen.text);
  assert.match(terminal.screen.text, /you did not allow it/);
});

test(
  'what a plugin asks during a call is put to the terminal of that call, through the daemon',
  withTerminal,
  async (t) => {
    const at = await place(t, { behaviour: 'talks', name: 'talks_here' });
    await runDaemonProcess(t, at.home);
    const input = JSON.stringify({ ask: { method: 'prompt_user', params: { message: 'who are you', kind: 'text' } } });
    const words = ['plugin', 'exec', 'talks_here', 'run', '--input', input];
    const terminal = mmmAtRealTerminal(t, { home: at.home, cwd: at.directory }, ...words);
    await terminal.screen.until(/talks_here asks: "who are you"/);
    await terminal.screen.until(/Answer: /);
    // While that one reads, another one who cannot be asked is told so at once.
    const scripted = await at.run(...words, '--json');
    assert.equal((scripted.json().output as { error: { code: number } }).error.code, -32057, scripted.stdout);
    terminal.press('Ada\n');
    assert.equal(await terminal.exited, 0, terminal.screen.text);
    assert.match(terminal.screen.text, /"answer": "Ada"/);
  },
);

test('a plugin that was installed beside the daemon is known to the next command', async (t) => {
  const at = await place(t, 'echo');
  await runDaemonProcess(t, at.home);
  assert.equal((await at.run('plugin', 'exec', 'echo', 'run', '--input', '1')).stdout, '1\n');
  const { createHost } = await import('@mmm/host');
  const beside = await createHost({ home: at.home });
  const folder = copyFixture({ behaviour: 'echo', name: 'later' }, at.directory);
  await signPlugin(folder, await beside.keys.get());
  await beside.install(folder);
  await beside.close();
  cpSync(folder, `${folder}.copy`, { recursive: true });
  assert.equal((await at.run('plugin', 'exec', 'later', 'run', '--input', '2')).stdout, '2\n');
});
