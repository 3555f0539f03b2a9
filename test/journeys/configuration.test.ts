import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { inspect } from 'node:util';
import { createHost, type Host, type HostOptions } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { type CliResult, mmm } from '../support/cli.ts';
import { type FixtureHost, fixtureHost } from '../support/fixture-host.ts';

const secret = 'tok-9f1e77c0-s3cr3t';
const other = 'pass-"quoted"-word';
const sha256 = createHash('sha256').update(secret).digest('hex');

function configured(t: TestContext, options: Partial<HostOptions> = {}): Promise<FixtureHost> {
  const more = '[config]\nschema = "config.schema.json"\n\n[config.defaults]\nlabels = ["from-the-manifest"]';
  return fixtureHost(t, [{ behaviour: 'configured', more }, 'echo'], options);
}

/** Every file of the home but the secrets' own must be free of them, as bytes. */
function assertNowhere(home: string, ...texts: readonly string[]): void {
  const files = readdirSync(home, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.parentPath !== join(home, 'secrets'))
    .map((entry) => join(entry.parentPath, entry.name));
  assert.ok(files.some((file) => file.endsWith('state.db')) && files.some((file) => file.endsWith('.jsonl')));
  for (const file of files) {
    const bytes = readFileSync(file).toString('latin1');
    const at = Math.max(bytes.indexOf(secret), bytes.indexOf('quoted'));
    assert.ok(at < 0, `${file} holds a secret: ${bytes.slice(Math.max(0, at - 100), at + 60)}`);
  }
  for (const text of texts) assert.ok(!text.includes(secret) && !text.includes('quoted'), text);
}

async function errorOf(work: Promise<unknown>): Promise<MmmError> {
  const error = await work.then(
    () => assert.fail('it did not fail'),
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof MmmError, String(error));
  return error;
}

const output = async (host: Host, input: object): Promise<Record<string, unknown>> =>
  (await (await host.plugin('configured')).execute('run', input)).output as Record<string, unknown>;

test('from the command line: set, see, unset, with a secret that is nowhere to be seen', async (t) => {
  const { home, host } = await configured(t);
  await host.close();
  const said: string[] = [];
  const run = async (stdin: string, ...argv: string[]): Promise<CliResult> => {
    const result = await mmm({ home, stdin }, 'plugin', ...argv);
    said.push(result.stdout, result.stderr);
    return result;
  };
  const early = await run('', 'exec', 'configured', 'run', '--json');
  assert.equal(early.code, 2);
  assert.match(early.stdout, /"E0703".*token is required.*mmm plugin config set configured token -/);
  const refused = await mmm({ home }, 'plugin', 'config', 'set', 'configured', 'token', secret);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /token is a secret.*standard input/);
  said.push(refused.stderr);
  assert.equal((await run(`${secret}\n`, 'config', 'set', 'configured', 'token', '-')).code, 0);
  assert.equal((await run(other, 'config', 'set', 'configured', 'server.password', '-')).code, 0);
  const set = await run('', 'config', 'set', 'configured', 'server.url', 'https://example.com', 'server.port', '8443');
  assert.equal(set.code, 0, set.stderr);
  const wrong = await run('', 'config', 'set', 'configured', 'server.port', '0', '--json');
  assert.equal(wrong.code, 2);
  const { error } = wrong.json() as { error: { name: string; data: { issues: { path: string }[] } } };
  assert.equal(error.name, 'CONFIG_INVALID');
  assert.deepEqual(
    error.data.issues.map(({ path }) => path),
    ['server.port'],
  );
  const typo = await run('', 'config', 'set', 'configured', 'server.prt', '1');
  assert.match(typo.stderr, /server\.prt is not a known field; did you mean server\.port\?/);
  assert.match((await run('', 'config', 'get', 'configured', 'tokn')).stderr, /Did you mean "token"/);
  assert.equal((await run('', 'config', 'get', 'configured', 'server.port')).stdout, '8443\n');
  assert.equal((await run('', 'config', 'get', 'configured', 'token')).stdout, '[secret]\n');
  const shown = (await run('', 'config', 'get', 'configured', '--json')).json();
  assert.deepEqual(shown.config, {
    labels: ['from-the-manifest'],
    mode: 'take',
    server: { url: 'https://example.com', port: 8443, password: '[secret]' },
    token: '[secret]',
  });
  assert.match((await run('', 'config', 'get', 'configured')).stdout, /token +"\[secret\]" +user +secret/);
  assert.match((await run('', 'info', 'configured')).stdout, /set: token, server\.url, server\.port, server\.password/);
  const called = (await run('', 'exec', 'configured', 'run', '--json')).json() as { output: { token: string } };
  assert.equal(called.output.token, sha256);
  assert.equal((await run('', 'config', 'unset', 'configured', 'server.port')).code, 0);
  assert.equal((await run('', 'config', 'get', 'configured', 'server.port')).stdout, '443\n');
  assert.match((await run('', 'config', 'unset', 'configured', 'servr')).stderr, /is not set/);
  const died = await run('', 'exec', 'configured', 'run', '--input', '{"do":"die"}', '--json');
  assert.equal(died.code, 8);
  assert.match(died.stdout, /last words: \[secret\]/);
  const failed = await run('', 'exec', 'configured', 'run', '--input', '{"do":"fail"}', '--json');
  assert.match(failed.stdout, /failed with \[secret\]/);
  await run('', 'logs', 'configured', '--json');
  await run('', 'stats', 'configured', '--json');
  assertNowhere(home, ...said);
});

test("secrets are kept in a file that is only its owner's, and go with the plugin", async (t) => {
  const { host, home } = await configured(t);
  await host.setConfig('configured', { set: { token: secret, 'server.port': 1 } });
  const file = join(home, 'secrets', 'configured.json');
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.equal(statSync(join(home, 'secrets')).mode & 0o777, 0o700);
  assert.ok(readFileSync(file, 'utf8').includes(secret));
  chmodSync(file, 0o644);
  const error = await errorOf(host.config('configured'));
  assert.equal(error.code, 'STATE_UNREADABLE');
  chmodSync(file, 0o600);
  await host.remove('configured');
  assert.ok(!existsSync(file));
});

test('--keep-data keeps the configuration, but another publisher gets none of its secrets', async (t) => {
  const { host, home, directory } = await configured(t);
  await host.setConfig('configured', { set: { token: secret, 'server.port': 99 } });
  await host.remove('configured', { keepData: true });
  const folder = join(directory, 'configured');
  await host.install(folder);
  assert.equal((await output(host, {})).token, sha256);
  await host.createKey('stranger');
  const { signPlugin } = await import('@mmm/host');
  await signPlugin(folder, await host.keys.get('stranger'));
  writeFileSync(join(folder, '.mmm', 'signatures.json'), onlyLastSignature(join(folder, '.mmm', 'signatures.json')));
  await host.remove('configured', { keepData: true });
  await host.install(folder);
  const { fields } = await host.config('configured');
  assert.equal(fields.find(({ key }) => key === 'token')?.from, 'unset');
  assert.equal(fields.find(({ key }) => key === 'server.port')?.value, 99);
  assert.equal((await errorOf(output(host, {}))).code, 'CONFIG_INVALID');
  assert.ok(readFileSync(join(home, 'secrets', 'configured.json'), 'utf8').includes(secret));
});

function onlyLastSignature(file: string): string {
  const content = JSON.parse(readFileSync(file, 'utf8')) as { signatures: unknown[] };
  return JSON.stringify({ ...content, signatures: content.signatures.slice(-1) });
}

test('a running plugin takes a change over, without a new start', async (t) => {
  const { host } = await configured(t);
  assert.equal((await host.setConfig('configured', { set: { token: secret } })).applied, 'stored');
  const before = await output(host, {});
  assert.equal(before.token, sha256);
  const report = await host.setConfig('configured', { set: { 'server.port': 7 } });
  assert.equal(report.applied, 'configured');
  const after = await output(host, {});
  assert.equal(after.life, before.life);
  assert.equal(after.port, 7);
  const incomplete = await errorOf(host.setConfig('configured', { unset: ['token'] }));
  assert.match(incomplete.message, /token is required/);
  assert.equal((await output(host, {})).token, sha256);
});

test('what a plugin refuses is not in force, there and here', async (t) => {
  const { host, home } = await configured(t);
  await host.setConfig('configured', { set: { token: secret } });
  const { life } = await output(host, {});
  const error = await errorOf(host.setConfig('configured', { set: { mode: 'refuse', 'server.port': 5 } }));
  assert.equal(error.code, 'CONFIG_INVALID');
  assert.match(error.message, /refused.*old one is in force.*will not take \[secret\]/);
  assert.equal((await output(host, {})).life, life);
  assert.equal((await host.config('configured')).config.mode, 'take');
  assertNowhere(home, inspect(error, { depth: 9 }));
});

test('a plugin that dies of a change comes back with the old configuration', async (t) => {
  const { host, home } = await configured(t);
  await host.setConfig('configured', { set: { token: secret } });
  await output(host, {});
  const error = await errorOf(host.setConfig('configured', { set: { mode: 'crash' } }));
  assert.equal(error.code, 'PLUGIN_EXITED');
  assert.match(error.message, /dies of \[secret\]/);
  assert.equal((await output(host, {})).mode, 'take');
  assertNowhere(home, inspect(error, { depth: 9 }));
});

test('a plugin without configure is started anew, and back with the old one if it does not start', async (t) => {
  const { host, home } = await configured(t);
  await host.setConfig('configured', { set: { token: secret } });
  const before = await output(host, {});
  assert.equal((await host.setConfig('configured', { set: { mode: 'unknown' } })).applied, 'restarted');
  const after = await output(host, {});
  assert.notEqual(after.life, before.life);
  assert.equal(after.mode, 'unknown');
  assert.equal(after.token, before.token);
  const error = await errorOf(host.setConfig('configured', { set: { mode: 'no_start' } }));
  assert.equal(error.code, 'CONFIG_INVALID');
  assert.match(error.message, /did not start with it.*cannot start with \[secret\]/);
  assert.equal((await output(host, {})).mode, 'unknown');
  assertNowhere(home, inspect(error, { depth: 9 }));
  await host.close();
  const again = await createHost({ home });
  t.after(() => again.close());
  assert.equal((await again.config('configured')).config.mode, 'unknown');
});

test('a secret appears in no error, log, statistic or environment of a running plugin', async (t) => {
  const { host, home } = await configured(t);
  await host.setConfig('configured', { set: { token: secret, 'server.password': other } });
  const plugin = await host.plugin('configured');
  const raw = await output(host, { do: 'config' });
  assert.equal(raw.token, secret);
  assert.ok(!String(await output(host, { do: 'environment' })).includes(secret));
  const neighbour = await host.plugin('echo');
  await neighbour.start();
  assert.ok(neighbour.pid !== null && !readFileSync(`/proc/${neighbour.pid}/environ`, 'latin1').includes(secret));
  assert.ok(plugin.pid !== null && !readFileSync(`/proc/${plugin.pid}/environ`, 'latin1').includes(secret));
  assert.ok(!readFileSync(`/proc/${plugin.pid}/cmdline`, 'latin1').includes(secret));
  const failed = await errorOf(plugin.execute('run', { do: 'fail' }));
  assert.equal(failed.code, 'CALL_REJECTED');
  const died = await errorOf(plugin.execute('run', { do: 'die' }));
  assert.equal(died.code, 'PLUGIN_EXITED');
  const logs = await host.logs('configured');
  const messages = logs.map(({ stream, message }) => `${stream}: ${message}`);
  assert.ok(messages.includes('log: log has [secret]'), messages.join('\n'));
  assert.ok(messages.includes('stdout: stray stdout has [secret]'));
  assert.ok(messages.some((line) => /^stderr: stderr has \[secret\] and .*"token":"\[secret\]"/.test(line)));
  assert.deepEqual(logs.find(({ stream }) => stream === 'log')?.fields, { token: '[secret]', in: ['[secret]'] });
  const { lastExits } = await host.statistics('configured');
  assert.match(lastExits[0]?.stderrTail ?? '', /last words: \[secret\]/);
  const seen = [failed, died, plugin.state, plugin.lastExit, host.audit.list(), await host.info('configured'), logs];
  await host.close();
  assertNowhere(home, ...seen.map((value) => inspect(value, { depth: 12 })), JSON.stringify(lastExits));
});

test('edit offers the file again to nobody who is not there, and keeps the old configuration', async (t) => {
  const { host, home, directory } = await configured(t);
  await host.setConfig('configured', { set: { token: secret, 'server.port': 5 } });
  await host.close();
  const edit = async (script: string): Promise<CliResult> => {
    const editor = join(directory, 'editor');
    writeFileSync(editor, `#!/bin/sh\ncp "$1" '${directory}/offered'\n${script}\n`, { mode: 0o755 });
    return await mmm({ home, env: { EDITOR: editor } }, 'plugin', 'config', 'edit', 'configured');
  };
  assert.match((await edit('true')).stdout, /Nothing was changed/);
  const offered = readFileSync(join(directory, 'offered'), 'utf8');
  assert.match(offered, /\/\/ {3}token \(secret, set, required\) The key of the account/);
  const json = `{\\n  // mine\\n  "server": {"port": 6},\\n  "labels": ["a, }"],\\n}`;
  assert.equal((await edit(`printf '${json}' > "$1"`)).code, 0);
  const after = (await mmm({ home }, 'plugin', 'config', 'get', 'configured', '--json')).json();
  assert.deepEqual(after.config, { mode: 'take', labels: ['a, }'], server: { port: 6 }, token: '[secret]' });
  for (const [script, message] of [
    [`echo '{"server": {"port": "six"}}' > "$1"`, /server\.port must be integer/],
    [`echo '{"token": "not-a-good-place"}' > "$1"`, /token is a secret/],
    [`echo '{' > "$1"`, /was not changed/],
    ['exit 3', /ended with exit code 3/],
  ] as const) {
    const result = await edit(script);
    assert.equal(result.code, 2, script);
    assert.match(result.stderr, message);
  }
  assert.deepEqual((await mmm({ home }, 'plugin', 'config', 'get', 'configured', '--json')).json(), after);
  assert.match((await mmm({ home }, 'plugin', 'config', 'edit', 'configured')).stderr, /VISUAL or EDITOR/);
  assertNowhere(home, offered);
});

test('a plugin without a schema says that nothing can be set', async (t) => {
  const { host, home } = await fixtureHost(t, ['echo']);
  await host.close();
  const set = await mmm({ home }, 'plugin', 'config', 'set', 'echo', 'key', 'value');
  assert.equal(set.code, 2);
  assert.match(set.stderr, /echo cannot be configured: its manifest names no schema/);
  assert.match((await mmm({ home }, 'plugin', 'config', 'get', 'echo')).stdout, /nothing to configure/);
  assert.equal((await mmm({ home }, 'plugin', 'config', 'get', 'nobody', '--json')).code, 5);
});
