import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { SettingsWatch } from '../../../../packages/host/src/daemon/settings-watch.ts';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { FakeClock, settled } from '../../../support/fake-clock.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

function watched(t: Parameters<typeof tempFolder>[0]) {
  const clock = new FakeClock();
  const file = join(tempFolder(t), 'config.toml');
  const notes: string[] = [];
  let applied = 0;
  let failure: Error | undefined;
  const watch = new SettingsWatch({
    file,
    clock,
    apply: async () => {
      applied += 1;
      if (failure !== undefined) throw failure;
    },
    note: (level, message) => notes.push(`${level} ${message}`),
  });
  const look = async (): Promise<void> => {
    await clock.advance(hostLimits.settingsLookMs);
    await settled();
  };
  return {
    ...{ watch, file, notes, look, applied: () => applied },
    fail: (error: Error | undefined) => {
      failure = error;
    },
  };
}

test('a file that was not changed is not read again', async (t) => {
  const { watch, file, look, applied } = watched(t);
  await look();
  await look();
  assert.equal(applied(), 0);
  writeFileSync(file, '');
  await look();
  assert.equal(applied(), 1, 'one that has come is a change');
  await look();
  assert.equal(applied(), 1);
  await watch.close();
});

test('a faulty file is said until it is mended, and tried again only when it changed', async (t) => {
  const { watch, file, notes, look, fail, applied } = watched(t);
  fail(new Error('line 1 is wrong'));
  writeFileSync(file, 'x');
  await look();
  await look();
  assert.equal(applied(), 1);
  assert.equal(watch.status.problem, 'line 1 is wrong');
  assert.match(notes[0] ?? '', /^error .*config\.toml is not taken over.*line 1 is wrong$/);
  fail(undefined);
  writeFileSync(file, 'mended');
  await look();
  assert.equal(watch.status.problem, null);
  await watch.close();
});

test('after its end nothing is read any more', async (t) => {
  const { watch, file, look, applied } = watched(t);
  await watch.close();
  writeFileSync(file, 'x');
  await look();
  await watch.reload();
  assert.equal(applied(), 0);
});
