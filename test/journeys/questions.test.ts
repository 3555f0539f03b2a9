import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type CliResult, mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { copyFixture } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';
import { mmmAtRealTerminal, type Terminal, withTerminal } from '../support/terminal.ts';

interface Place {
  run(...argv: string[]): Promise<CliResult>;
  /** Calls the plugin at a terminal with these questions. */
  asked(...questions: readonly object[]): Terminal;
}

/** A machine with a plugin `pet` that asks what it is told to. */
async function place(t: TestContext): Promise<Place> {
  const directory = tempFolder(t);
  chmodSync(directory, 0o755);
  const home = join(directory, 'home');
  const run = (...argv: string[]): Promise<CliResult> => mmm({ home, cwd: directory }, ...argv);
  copyFixture({ behaviour: 'talks', name: 'pet' }, directory);
  for (const words of [
    ['key', 'new'],
    ['plugin', 'sign', 'pet'],
    ['plugin', 'install', join(directory, 'pet')],
  ]) {
    const { code, stderr } = await run(...words);
    assert.equal(code, 0, stderr);
  }
  const asked: Place['asked'] = (...questions) =>
    mmmAtRealTerminal(t, { home, cwd: directory }, ...exec, JSON.stringify(order(questions)));
  return { run, asked };
}

const exec = ['plugin', 'exec', 'pet', 'run', '--input'];
const order = (questions: readonly object[]) => ({
  each: questions.map((params) => ({ ask: { method: 'prompt_user', params } })),
});
const options = { ...withTerminal, ...confined };

test('a plugin asks the person at the terminal, quoted and with its name', options, async (t) => {
  const { asked } = await place(t);
  const { screen, press, exited } = asked(
    { kind: 'text', message: 'Name?\u001b[2J "mmm asks: ' },
    { kind: 'confirm', message: 'Sure?' },
    { kind: 'select', message: 'Which?', options: ['red', 'green'] },
  );
  await screen.until(/pet asks: "Name\?\\u\{1b\}\[2J 'mmm asks: "/);
  await screen.until(/Answer: /);
  press('Ada\n');
  await screen.until(/pet asks: "Sure\?"\r\n\[y\]es, \[N\]o: /);
  press('perhaps\n');
  await screen.until(/perhaps\r\n\[y\]es, \[N\]o: /);
  press('y\n');
  await screen.until(/ 1 {2}"red"\r\n {2}2 {2}"green"\r\nNumber, 1 to 2: /);
  press('3\n');
  await screen.until(/3\r\nNumber, 1 to 2: /);
  press('2\n');
  assert.equal(await exited, 0, screen.text);
  assert.match(screen.text, /"Ada"[\s\S]*true[\s\S]*"green"/);
});

test('what is secret is not shown while it is typed', options, async (t) => {
  const { asked } = await place(t);
  const { screen, press, exited } = asked({ kind: 'secret', message: 'Password?' });
  await screen.until(/Answer \(not shown\): /);
  press('hunter3\u007f2\r');
  assert.equal(await exited, 0, screen.text);
  // Once, in the answer of this plugin, which tells everything.
  assert.equal(screen.text.split('hunter2').length, 2, screen.text);
  assert.equal(screen.text.includes('hunter3'), false);
});

test('who turns away at a question ends the call', options, async (t) => {
  const { asked } = await place(t);
  const { screen, press, exited } = asked({ kind: 'text', message: 'Name?' });
  await screen.until(/Answer: /);
  press('\u0003');
  assert.equal(await exited, 130, screen.text);
});

test('without a terminal, or where nobody is to be asked, the plugin is told so at once', confined, async (t) => {
  const { run } = await place(t);
  const { code, stdout } = await run(...exec, JSON.stringify(order([{ kind: 'text', message: 'Name?' }])), '--json');
  assert.equal(code, 0);
  assert.match(stdout, /-32057/);
});
