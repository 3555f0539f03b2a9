import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { type TestContext, test } from 'node:test';
import { TerminalPrompter } from '../../packages/cli/src/consent.ts';
import { type CliResult, mmm, mmmAtTerminal } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { FakeClock, settled } from '../support/fake-clock.ts';
import { copyFixture } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

interface Place {
  readonly home: string;
  readonly directory: string;
  run(...argv: string[]): Promise<CliResult>;
  answering(answers: readonly string[], ...argv: string[]): Promise<CliResult>;
}

/** A machine with a signed plugin that requires one folder and, critically, one program; it is not installed yet. */
async function place(t: Pick<TestContext, 'after'>, more = ''): Promise<Place> {
  const directory = tempFolder(t);
  const home = join(directory, 'home');
  const folder = join(directory, 'pictures');
  mkdirSync(folder);
  const run = (...argv: string[]): Promise<CliResult> => mmm({ home, cwd: directory }, ...argv);
  const answering = (answers: readonly string[], ...argv: string[]): Promise<CliResult> =>
    mmmAtTerminal({ home, cwd: directory }, answers, ...argv);
  assert.equal((await run('key', 'new')).code, 0);
  const reason = JSON.stringify('Allow? yes" \u001B[2J\nAll is fine');
  copyFixture(
    {
      behaviour: 'echo',
      more: `[[permissions.filesystem]]\npath = "${folder}"\naccess = "read"\nreason = ${reason}\n${more}`,
    },
    directory,
  );
  const signed = await run('plugin', 'sign', 'echo');
  assert.equal(signed.code, 0, signed.stderr);
  return { home, directory, run, answering };
}

const critical = '[[permissions.commands]]\nname = "bash"\n';

test('at a terminal an installation asks, and shows an author’s words quoted and harmless', async (t) => {
  const { answering, run } = await place(t);
  const refused = await answering([''], 'plugin', 'install', 'echo');
  assert.equal(refused.code, 3);
  assert.match(
    refused.stderr,
    /echo 1\.0\.0, signed by "default" \((?:[0-9a-f]{4} ?){16}\), asks for:\n {2}● high risk +filesystem=read:/,
  );
  assert.match(refused.stderr, /Its author says: "Allow\? yes' \\u\{1b\}\[2J\\u\{a\}All is fine"\n/);
  assert.match(refused.stdout, /It will not start before you decide on/);
  const allowed = await answering(['perhaps', 'o', 'a'], 'plugin', 'install', 'echo');
  assert.equal(allowed.code, 0, allowed.stderr);
  assert.match(allowed.stdout, /Reinstalled echo[\s\S]*Granted: filesystem=read:/);
  assert.doesNotMatch((await run('plugin', 'list')).stdout, /needs consent/);
});

test('what a plugin would hear of is shown before anybody agrees, and by inspect, info and dev', async (t) => {
  const hears =
    '[subscriptions]\nevents = ["build.*", "say\\"yes"]\n' +
    '[[capabilities]]\nkind = "hook"\nname = "guard"\nevents = ["before_commit"]\n';
  const { answering, run } = await place(t, hears);
  const told = /It is told of events: "build\.\*", "say'yes"\n/;
  const asked = /It is asked before, and may stop: "before_commit" \(hook guard\)\n/;
  for (const pattern of [told, asked]) assert.match((await run('plugin', 'inspect', 'echo')).stdout, pattern);
  const installed = await answering(['a'], 'plugin', 'install', 'echo');
  assert.equal(installed.code, 0, installed.stderr);
  for (const pattern of [told, asked]) {
    assert.match(installed.stderr.split('asks for:', 1)[0] ?? '', pattern, 'before the question');
    assert.match(installed.stdout, pattern);
    assert.match((await run('plugin', 'info', 'echo')).stdout, pattern);
    assert.match((await run('plugin', 'dev', 'echo')).stderr, pattern);
  }
});

test('critical permissions are asked for one by one', async (t) => {
  const { answering } = await place(t, critical);
  const half = await answering(['a', 'n'], 'plugin', 'install', 'echo');
  assert.equal(half.code, 3);
  assert.match(half.stderr, /▲ CRITICAL RISK commands=bash/);
  assert.equal(half.stderr.match(/asks for:/g)?.length, 2);
  assert.match(half.stdout, /It will not start before you decide on: commands=bash/);
});

test('nobody is asked without a terminal, with --no-interactive, with --json or in CI', async (t) => {
  const { answering, run, home, directory } = await place(t);
  for (const words of [['--no-interactive'], ['--json']]) {
    const { stderr, code } = await answering(['a'], 'plugin', 'install', 'echo', ...words);
    assert.equal(code, 3);
    assert.doesNotMatch(stderr, /Allow/);
  }
  const ci = await mmmAtTerminal({ home, cwd: directory, env: { CI: 'true' } }, ['a'], 'plugin', 'install', 'echo');
  assert.doesNotMatch(ci.stderr, /Allow/);
  assert.doesNotMatch((await run('plugin', 'install', 'echo')).stderr, /Allow/);
});

test('a call asks for what its start needs: once, always or not at all', confined, async (t) => {
  const { answering, run } = await place(t);
  assert.equal((await run('plugin', 'install', 'echo')).code, 3);
  const exec = ['plugin', 'exec', 'echo', 'run', '--input', '1'];
  const denied = await answering(['n'], ...exec);
  assert.equal(denied.code, 3);
  assert.match(denied.stderr, /E0302.*mmm plugin grant echo/);
  assert.equal(denied.stderr.match(/asks for:/g)?.length, 1);
  const ended = await answering([], ...exec);
  assert.equal(ended.code, 3);
  const once = await answering(['o'], ...exec);
  assert.equal(once.code, 0, once.stderr);
  assert.equal(once.stdout, '1\n');
  assert.equal((await run(...exec)).code, 3);
  assert.equal((await answering(['a'], ...exec)).code, 0);
  assert.equal((await run(...exec)).code, 0);
});

test('what was typed before the question could be read is no answer, and Ctrl-C is a no', async () => {
  const clock = new FakeClock();
  const [stdin, stderr, interrupt] = [new PassThrough(), new PassThrough(), new AbortController()];
  const io = {
    stdin,
    stderr,
    stdout: new PassThrough(),
    env: {},
    cwd: '/',
    resources: '/',
    interrupted: interrupt.signal,
  };
  const request = { plugin: 'echo', version: '1.0.0', publisher: null, fingerprint: null, items: [] };
  let answer: string | undefined;
  const asked = new TerminalPrompter(io, clock, { once: true }).ask(request).then((given) => {
    answer = given;
  });
  while (!String(stderr.read() ?? '').includes('[N]o')) await settled();
  stdin.write('a\n');
  await clock.advance(299);
  assert.equal(answer, undefined);
  await clock.advance(1);
  stdin.write('o\n');
  await asked;
  assert.equal(answer, 'once');
  const second = new TerminalPrompter(io, clock, { once: true }).ask(request);
  interrupt.abort();
  assert.equal(await second, 'deny');
});
