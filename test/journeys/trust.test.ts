import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type CliResult, mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { copyFixture } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

const guide = join(import.meta.dirname, '../../docs/trust.md');

interface Line {
  readonly who: string;
  readonly words: readonly string[];
  readonly code: number;
}

/** The lines that somebody types in the guide, in order; one that is to fail says `# exit N`. */
function typedLines(): Line[] {
  const blocks = [...readFileSync(guide, 'utf8').matchAll(/^```console\n([\s\S]*?)^```$/gm)];
  return blocks
    .flatMap(([, block]) => (block ?? '').split('\n'))
    .filter((line) => line !== '')
    .map((line) => {
      const [, who, typed, comment] = /^(\w+)\$ mmm (.*?)(?:\s+# (.*))?$/.exec(line) ?? [];
      assert.ok(who !== undefined && typed !== undefined, line);
      const words = typed.match(/'[^']*'|\S+/g)?.map((word) => word.replace(/^'|'$/g, '')) ?? [];
      return { who, words, code: Number(/^exit (\d+)/.exec(comment ?? '')?.[1] ?? 0) };
    });
}

/** The folder where everybody works, each with a home of their own. */
function world(t: TestContext): { directory: string; run(who: string, ...words: string[]): Promise<CliResult> } {
  const directory = tempFolder(t);
  return { directory, run: (who, ...words) => mmm({ home: join(directory, `home-${who}`), cwd: directory }, ...words) };
}

function fetcher(directory: string, folder: string, version: string): void {
  const made = copyFixture({ behaviour: 'echo', name: folder }, directory);
  const file = join(made, 'plugin.toml');
  const manifest = readFileSync(file, 'utf8').replace(`name = "${folder}"`, 'name = "fetcher"');
  writeFileSync(file, manifest.replace('version = "1.0.0"', `version = "${version}"`));
}

test('the guide to trust works as it is written there', { ...confined, timeout: 120_000 }, async (t) => {
  const { directory, run } = world(t);
  fetcher(directory, 'fetcher', '1.0.0');
  fetcher(directory, 'fetcher-1.1.0', '1.1.0');
  const said: string[] = [];
  for (const { who, words, code } of typedLines()) {
    const result = await run(who, ...words);
    assert.equal(result.code, code, `${who}$ mmm ${words.join(' ')}\n${result.stdout}${result.stderr}`);
    said.push(result.stdout + result.stderr);
  }
  const all = said.join('\n');
  for (const sentence of [
    /Made the key "acme"/,
    /Installed fetcher 1\.0\.0, signed by "acme" \((?:[0-9a-f]{4} ?){16}\)/,
    /Updated fetcher from 1\.0\.0 to 1\.1\.0/,
    /list 1 of "security" revokes 1 key/,
    /E0209.*revoked at \S+ by security: key stolen/,
    /entries, none changed or missing/,
  ]) {
    assert.match(all, sentence);
  }
  const settings = /^```toml\n([\s\S]*?)^```$/m.exec(readFileSync(guide, 'utf8'))?.[1] ?? '';
  writeFileSync(join(directory, 'home-you/config.toml'), settings, { mode: 0o600 });
  assert.equal((await run('you', 'doctor')).code, 0);
});

test('whoever looks at a key sees its whole fingerprint', confined, async (t) => {
  const { directory, run } = world(t);
  fetcher(directory, 'fetcher', '1.0.0');
  const made = (await run('you', 'key', 'new', '--json')).json() as { fingerprint: string; keyid: string };
  assert.match(made.fingerprint, /^(?:[0-9a-f]{4} ){15}[0-9a-f]{4}$/);
  for (const words of [
    ['plugin', 'sign', './fetcher'],
    ['plugin', 'install', './fetcher'],
    ['plugin', 'info', 'fetcher'],
    ['plugin', 'verify', 'fetcher'],
    ['key', 'list'],
    ['key', 'list', '--json'],
    ['plugin', 'info', 'fetcher', '--json'],
    ['key', 'export', '--json'],
    ['audit', 'list', '--action', 'key'],
    ['key', 'revoke', 'default'],
    ['plugin', 'exec', 'fetcher', 'run'],
  ]) {
    const { stdout, stderr } = await run('you', ...words);
    assert.ok((stdout + stderr).includes(made.fingerprint), `${words.join(' ')}\n${stdout}${stderr}`);
  }
});

test('each way of not being trusted has a name of its own', confined, async (t) => {
  const { directory, run } = world(t);
  fetcher(directory, 'fetcher', '1.0.0');
  await run('publisher', 'key', 'new');
  await run('publisher', 'key', 'export', '--output', 'pub');
  const refusal = async (): Promise<string> => {
    const result = await run('you', 'plugin', 'install', './fetcher', '--json');
    if (result.code === 0) return 'none';
    assert.equal(result.code, 4);
    return (result.json() as { error: { name: string } }).error.name;
  };
  const trust = async (...words: string[]): Promise<void> => {
    const { code, stderr } = await run('you', 'key', 'trust', '@pub', '--name', 'acme', ...words, '--replace');
    assert.equal(code, 0, stderr);
  };
  assert.equal(await refusal(), 'SIGNATURE_MISSING');
  await run('publisher', 'plugin', 'sign', 'fetcher');
  assert.equal(await refusal(), 'SIGNATURE_UNTRUSTED');
  await trust('--scope', 'other');
  assert.equal(await refusal(), 'KEY_OUT_OF_SCOPE');
  await trust('--scope', '*', '--expires', '2026-01-01');
  assert.equal(await refusal(), 'KEY_EXPIRED');
  await trust('--scope', '*', '--role', 'root');
  assert.equal(await refusal(), 'KEY_ROLE_WRONG');
  await trust('--scope', '*', '--expires', '1d');
  assert.equal(await refusal(), 'none');
  await run('you', 'key', 'revoke', 'acme');
  assert.equal(await refusal(), 'KEY_REVOKED');
  const { entries } = (await run('you', 'audit', 'list', '--action', 'refused', '--json')).json() as {
    entries: { detail: { error: string } }[];
  };
  assert.deepEqual(
    entries.map(({ detail }) => detail.error),
    ['SIGNATURE_MISSING', 'SIGNATURE_UNTRUSTED', 'KEY_OUT_OF_SCOPE', 'KEY_EXPIRED', 'KEY_ROLE_WRONG', 'KEY_REVOKED'],
  );
});

test('a log that somebody changed is found by verify, by export and by doctor', async (t) => {
  const { directory, run } = world(t);
  await run('you', 'key', 'new');
  await run('you', 'key', 'new', '--name', 'other');
  const intact = (await run('you', 'audit', 'verify', '--json')).json();
  assert.deepEqual([intact.intact, intact.entries, intact.problem], [true, 2, null]);
  const file = join(directory, 'home-you/audit/audit.jsonl');
  const before = readFileSync(file, 'utf8');
  writeFileSync(file, before.replace('"name":"other"', '"name":"mother"'));
  const changed = await run('you', 'audit', 'verify');
  assert.equal(changed.code, 7);
  assert.match(changed.stdout, /audit\.jsonl, line 2 is not as it was written: .*edited/);
  assert.equal((await run('you', 'audit', 'export', '--output', 'copy')).code, 7);
  assert.equal((await run('you', 'audit', 'verify', 'copy')).code, 7);
  assert.equal((await run('you', 'doctor')).code, 7);
  writeFileSync(file, `${before.split('\n')[0]}\n`);
  assert.match((await run('you', 'audit', 'verify')).stdout, /its end was cut off/);
  assert.equal((await run('you', 'audit', 'export', '--output', 'copy')).code, 2, 'never over another file');
});

test('times are understood, or refused with what would be', async (t) => {
  const { run } = world(t);
  await run('you', 'key', 'new');
  for (const time of ['5m', '24h', '2w', '2020-01-01', '2020-01-01T10:00Z', '2020-01-01T10:00:00+02:00']) {
    assert.equal((await run('you', 'audit', 'list', '--since', time)).code, 0, time);
  }
  for (const time of ['', '5', 'yesterday', '2020-02-30', '2020-13-01', '20-01-01', '1y', '2020-01-01 10:00']) {
    const { code, stderr } = await run('you', 'audit', 'list', '--since', time);
    assert.equal(code, 2, time);
    assert.match(stderr, /--since takes a date/);
  }
  const none = (await run('you', 'audit', 'list', '--since', '2099-01-01', '--json')).json();
  assert.deepEqual(none.entries, []);
});

test('every decision of a life of a plugin is in the log, refusals and exceptions too', confined, async (t) => {
  const { directory, run } = world(t);
  const permission = 'environment=GREETING';
  const more = '[permissions]\nenvironment = [{ name = "GREETING", reason = "Greets" }]\n';
  const folder = copyFixture({ behaviour: 'echo', name: 'fetcher', more }, directory);
  const lines: [readonly string[], number][] = [
    [['plugin', 'install', './fetcher', '--allow-unsigned', 'fetcher'], 3],
    [['plugin', 'exec', 'fetcher', 'run'], 3],
    [['plugin', 'grant', 'fetcher', permission], 0],
    [['plugin', 'exec', 'fetcher', 'run'], 0],
    [['plugin', 'disable', 'fetcher'], 0],
    [['plugin', 'enable', 'fetcher'], 0],
    [['plugin', 'exec', 'fetcher', 'run', '--unconfined', 'fetcher'], 0],
    [['plugin', 'revoke', 'fetcher', permission], 0],
    [['key', 'new'], 0],
    [['plugin', 'sign', './fetcher'], 0],
    [['plugin', 'install', './fetcher', '--grant', permission], 0],
    [['key', 'revoke', 'default'], 0],
    [['plugin', 'exec', 'fetcher', 'run'], 4],
    [['plugin', 'install', folder], 4],
    [['plugin', 'remove', 'fetcher'], 0],
  ];
  for (const [words, code] of lines) {
    const result = await run('you', ...words);
    assert.equal(result.code, code, `${words.join(' ')}\n${result.stdout}${result.stderr}`);
  }
  const { entries } = (await run('you', 'audit', 'list', '--json')).json() as {
    entries: { action: string; detail: Record<string, unknown> }[];
  };
  const told = entries.map(({ action, detail }) => `${action} ${String(detail.what ?? detail.event ?? '')}`.trim());
  assert.deepEqual(told, [
    'override unsigned',
    'install',
    'deny',
    'grant',
    'launch',
    'disable',
    'enable',
    'sandbox_none',
    'launch',
    'revoke',
    'key created',
    'key used',
    'install',
    'publisher',
    'key revoked',
    'refused launch',
    'refused install',
    'remove',
  ]);
  assert.equal((await run('you', 'audit', 'verify')).code, 0);
});
