import assert from 'node:assert/strict';
import { cpSync, existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createHost } from '@mmm/host';
import { bundledProgram, runProgram } from '../support/bundled-program.ts';
import { fixtureHost } from '../support/fixture-host.ts';

/** Killed before this share of the steps. All of them with MMM_FULL, which takes minutes. */
const every = process.env.MMM_FULL === undefined ? 6 : 1;

test('a restore that is killed before any of its steps leaves the home old or makes it new', async (t) => {
  const program = await bundledProgram(t, 'restore-and-die.ts');
  const { host, home, directory } = await fixtureHost(t, [], { settings: '[limits]\nmemory_mb = 300\n' });
  const backup = join(directory, 'home.backup');
  await host.state.set('global', 'which', 'new');
  await host.backup(backup);
  await host.state.set('global', 'which', 'old');
  // Each part says on its own which home it is of.
  writeFileSync(join(home, 'config.toml'), '[limits]\nmemory_mb = 200\n');
  writeFileSync(join(home, 'secrets', 'other.json'), '{}', { mode: 0o600 });
  await host.createKey('later');
  await host.close();

  const killedAt = async (
    step: number,
  ): Promise<{ readonly which: string; readonly ended: boolean; steps: number }> => {
    const copy = join(directory, `home-${step}`);
    cpSync(home, copy, { recursive: true, verbatimSymlinks: true });
    const ended = await runProgram(program, copy, backup, String(step));
    const isWhole = ended.signal === null;
    const { steps } = isWhole ? (JSON.parse(ended.output) as { steps: number }) : { steps: 0 };
    await using next = await createHost({ home: copy });
    const { value: which } = await next.state.get('global', 'which');
    const settings = readFileSync(join(copy, 'config.toml'), 'utf8');
    assert.equal(settings.includes('300'), which === 'new', `step ${step}: config.toml`);
    assert.equal(existsSync(join(copy, 'secrets', 'other.json')), which === 'old', `step ${step}: secrets`);
    const keys = (await next.keys.list()).map(({ name }) => name);
    assert.deepEqual(keys.sort(), which === 'old' ? ['later', 'test'] : ['test'], `step ${step}: keys`);
    const { problem } = next.audit.verify();
    assert.equal(problem, undefined, `step ${step}: ${problem?.reason}`);
    assert.equal(next.audit.list({ action: 'restore' }).length, which === 'new' ? 1 : 0);
    assert.equal(existsSync(join(copy, 'restoring')), false);
    if (which === 'new') {
      const before = readdirSync(copy).filter((name) => name.startsWith('before-restore-'));
      assert.equal(before.length, 1);
      assert.ok(readdirSync(join(copy, before[0] ?? '', 'keys')).some((name) => name.startsWith('later')));
    }
    return { which: String(which), ended: isWhole, steps };
  };

  const whole = await killedAt(0);
  assert.deepEqual([whole.which, whole.ended], ['new', true]);
  assert.ok(whole.steps > 30, `only ${whole.steps} steps were counted`);
  const seen = new Set<string>();
  // The end, where everything is put in its place, is looked at step by step.
  const near = whole.steps - 24;
  for (let step = 1; step <= whole.steps; step += step < near ? every : 1) {
    const { which, ended } = await killedAt(step);
    assert.equal(ended, false, `it was not killed before step ${step}`);
    seen.add(which);
    if (seen.has('new')) assert.equal(which, 'new', `step ${step} went back to the old home`);
  }
  assert.deepEqual([...seen], ['old', 'new']);
});
