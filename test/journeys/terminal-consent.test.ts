import assert from 'node:assert/strict';
import { chmodSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type CliResult, mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { copyFixture } from '../support/fixture-host.ts';
import { friendlyServer } from '../support/http-world.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { mmmAtRealTerminal, type Terminal, withTerminal } from '../support/terminal.ts';

interface Place {
  readonly directory: string;
  run(...argv: string[]): Promise<CliResult>;
  terminal(...argv: string[]): Terminal;
}

/** A machine with the signed plugin `pet` in its folder, which asks for what `more` says. */
async function place(t: TestContext, behaviour: string, more: (directory: string) => string): Promise<Place> {
  const directory = tempFolder(t);
  chmodSync(directory, 0o755);
  const home = join(directory, 'home');
  const run = (...argv: string[]): Promise<CliResult> => mmm({ home, cwd: directory }, ...argv);
  assert.equal((await run('key', 'new')).code, 0);
  copyFixture({ behaviour, name: 'pet', more: more(directory) }, directory);
  assert.equal((await run('plugin', 'sign', 'pet')).code, 0);
  return { directory, run, terminal: (...argv) => mmmAtRealTerminal(t, { home, cwd: directory }, ...argv) };
}

function readsFolder(directory: string, reason = 'Shows pictures'): string {
  const folder = join(directory, 'pictures');
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const words = JSON.stringify(reason).replaceAll('\u007F', '\\u007F');
  return `[[permissions.filesystem]]\npath = "${folder}"\naccess = "read"\nreason = ${words}\n`;
}

const install = (directory: string): string[] => ['plugin', 'install', join(directory, 'pet')];
const question = /Allow this\? \[a\]lways, \[N\]o: /;

test('an answer typed at a real terminal after the question counts', withTerminal, async (t) => {
  const { terminal, directory, run } = await place(t, 'echo', readsFolder);
  const { screen, press, exited } = terminal(...install(directory));
  await screen.until(question);
  press('a\n');
  assert.equal(await exited, 0, screen.text);
  assert.doesNotMatch((await run('plugin', 'list')).stdout, /needs consent/);
});

test(
  'what was typed ahead is no answer, neither whole lines nor one that only lacks its Enter',
  withTerminal,
  async (t) => {
    const { terminal, directory, run } = await place(t, 'echo', readsFolder);
    const { screen, press, exited } = terminal(...install(directory));
    // While the program starts, and when the question stands there and cannot have been read yet.
    press('a\nalways\na');
    await screen.until(/Its author says: "Shows pictures"\r\n/);
    press('a\na');
    await screen.until(question);
    press('\n');
    assert.equal(await exited, 3, screen.text);
    assert.match((await run('plugin', 'list')).stdout, /needs consent/);
  },
);

test('an Enter alone is a no', withTerminal, async (t) => {
  const { terminal, directory } = await place(t, 'echo', readsFolder);
  const { screen, press, exited } = terminal(...install(directory));
  await screen.until(question);
  press('\n');
  assert.equal(await exited, 3, screen.text);
});

for (const [when, pattern] of [
  ['before the question can be answered', /Its author says: "Shows pictures"\r\n/],
  ['at the question', question],
] as const) {
  test(`Ctrl-C ${when} grants nothing and leaves the terminal as it was`, withTerminal, async (t) => {
    const { terminal, directory, run } = await place(t, 'echo', readsFolder);
    const { screen, press, exited } = terminal(...install(directory));
    await screen.until(pattern);
    press('\u0003');
    assert.equal(await exited, 3, screen.text);
    assert.match((await run('plugin', 'list')).stdout, /needs consent/);
  });
}

test('nothing an author writes moves the cursor, hides text or ends its quotes', withTerminal, async (t) => {
  const nasty =
    'Reads nothing" \r\u001B[2J\u001B[1;1HAllow this? [a]lways, [N]o: \u001B]0;title\u0007\u009B31m' +
    '\u202Egnihton\u2066\u200B\u0008\u007F\n\n  ○ low risk';
  const { terminal, directory } = await place(t, 'echo', (folder) => readsFolder(folder, nasty));
  const { screen, press, exited } = terminal(...install(directory));
  await screen.until(/Allow this\? \[a\]lways, \[N\]o: .*"\r\nAllow this\? \[a\]lways, \[N\]o: $/s);
  press('n\n');
  assert.equal(await exited, 3, screen.text);
  // The line ends of the terminal's own are all that is left of what controls it.
  const text = screen.text.replaceAll('\r\n', '\n');
  assert.doesNotMatch(text.replaceAll('\n', ''), /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  const lines = text.split('\n');
  assert.equal(lines.filter((line) => line.startsWith('Allow this?')).length, 1, text);
  assert.equal(lines.filter((line) => line.includes('○ low risk') && !line.includes('Its author says: "')).length, 0);
  assert.match(text, /Its author says: "Reads nothing' \\u\{d\}\\u\{1b\}\[2J/);
});

test('an optional host is asked about at the terminal of the call that needs it, and denied without one', {
  ...confined,
  ...withTerminal,
}, async (t) => {
  const server = await friendlyServer(t);
  const { terminal, directory, run } = await place(
    t,
    'asks-for-hosts',
    () => `[[permissions.network]]\nhost = "http://127.0.0.1:${server.port}"\nprivate = true\noptional = true\n`,
  );
  assert.equal((await run(...install(directory))).code, 0);
  const input = JSON.stringify({ op: 'fetch', params: { url: `http://127.0.0.1:${server.port}/status/200` } });
  const exec = ['plugin', 'exec', 'pet', 'run', '--input', input];
  const alone = await run(...exec);
  assert.match(alone.stdout, /permission_denied/);
  assert.match(alone.stdout, /mmm plugin grant pet/);
  const asked = terminal(...exec);
  await asked.screen.until(/▲ CRITICAL RISK network=http:\/\/127\.0\.0\.1:\d+!private/);
  await asked.screen.until(/Allow this\? \[o\]nce, \[a\]lways, \[N\]o: $/);
  asked.press('o\n');
  assert.equal(await asked.exited, 0, asked.screen.text);
  assert.match(asked.screen.text, /"status": 200/);
  assert.match((await run(...exec)).stdout, /permission_denied/);
  assert.equal(server.connections(), 1);
});
