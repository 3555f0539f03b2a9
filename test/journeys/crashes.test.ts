import assert from 'node:assert/strict';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type CliResult, mmm } from '../support/cli.ts';
import { copyFixture } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

type Run = (...argv: string[]) => Promise<CliResult>;

/** A machine with a plugin installed that ends as its input says. */
async function machine(t: Pick<TestContext, 'after'>, more = ''): Promise<Run> {
  const directory = tempFolder(t);
  const home = join(directory, 'home');
  const run: Run = (...argv) => mmm({ home, cwd: directory }, ...argv);
  assert.equal((await run('key', 'new')).code, 0);
  copyFixture({ behaviour: 'crashes-on-execute', more }, directory);
  for (const step of ['sign', 'install']) {
    const done = await run('plugin', step, 'crashes_on_execute');
    assert.equal(done.code, 0, done.stderr);
  }
  return run;
}

const exec = ['plugin', 'exec', 'crashes_on_execute', 'run', '--input'] as const;
const crash = JSON.stringify({ code: 3 });

test('a plugin that crashes again and again is quarantined, says why, and runs again after a reset', async (t) => {
  const run = await machine(t, '[restart]\nbackoff_ms = 1\n');
  for (let time = 1; time <= 5; time += 1) {
    const crashed = await run(...exec, crash);
    assert.equal(crashed.code, 8, `crash ${time}: ${crashed.stderr}`);
    assert.match(crashed.stderr, /exited with code 3 during the call of run[\s\S]*about to exit/);
  }
  const refused = await run(...exec, '{}');
  assert.equal(refused.code, 8);
  assert.match(refused.stderr, /crashed too often and is quarantined; one trial start is made after \d+ s/);
  assert.match(refused.stderr, /exited with code 3/);
  assert.match((await run('plugin', 'list')).stdout, /crashes_on_execute +1\.0\.0 +quarantined/);
  assert.match(
    (await run('plugin', 'info', 'crashes_on_execute')).stdout,
    /not started before [\s\S]*mmm plugin reset/,
  );

  const reset = await run('plugin', 'reset', 'crashes_on_execute');
  assert.equal(reset.code, 0, reset.stderr);
  assert.match(reset.stdout, /Lifted the quarantine of crashes_on_execute[\s\S]*exited with code 3/);
  const answered = await run(...exec, '{"works":true}', '--json');
  assert.deepEqual(answered.json().output, { works: true });
  const again = await run('plugin', 'reset', 'crashes_on_execute', '--json');
  assert.deepEqual(again.json(), { id: 'crashes_on_execute', crashes: 0, quarantine: null });
});

test('after a second crash a call waits for the restart, or fails at once when it is told to', async (t) => {
  const run = await machine(t, '[restart]\nbackoff_ms = 60000\nbackoff_max_s = 60\n');
  for (const _ of [1, 2]) assert.equal((await run(...exec, crash)).code, 8);
  const failed = await run(...exec, '{}', '--fail-fast');
  assert.equal(failed.code, 8);
  assert.match(failed.stderr, /it crashed and starts again in \d+ s/);
  const waited = await run(...exec, '{}', '--timeout', '0.05');
  assert.match(waited.stderr, /was not ready within 0\.05 s/);
  assert.match((await run('plugin', 'reset', 'crashes_on_execute')).stdout, /^Forgot 2 crashes/);
  assert.equal((await run(...exec, '{}')).code, 0);
});

test('what may be the cure lifts a quarantine, too', async (t) => {
  const run = await machine(t, '[restart]\nmax = 1\n');
  for (const cure of [
    ['plugin', 'enable', 'crashes_on_execute'],
    ['plugin', 'install', 'crashes_on_execute'],
  ]) {
    assert.equal((await run(...exec, crash)).code, 8);
    assert.match((await run(...exec, '{}')).stderr, /is quarantined/);
    assert.equal((await run(...cure)).code, 0);
    assert.equal((await run(...exec, '{}')).code, 0, cure.join(' '));
  }
});
