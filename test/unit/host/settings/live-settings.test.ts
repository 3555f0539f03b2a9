import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { LiveSettings } from '../../../../packages/host/src/settings/live-settings.ts';
import { readSettings } from '../../../../packages/host/src/settings/settings.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

async function live(t: Parameters<typeof tempFolder>[0], text: string) {
  const file = join(tempFolder(t), 'config.toml');
  const write = (next: string): void => writeFileSync(file, next, { mode: 0o600 });
  write(text);
  return { write, settings: new LiveSettings(await readSettings(file)) };
}

test('what is read again is in force at once, and whoever wants to know is told once', async (t) => {
  const { write, settings } = await live(t, '[limits]\nmemory_mb = 300\n');
  const told: unknown[] = [];
  const forget = settings.onChange(({ limits }) => told.push(limits?.memory_mb));
  write('[limits]\nmemory_mb = 200\n');
  await Promise.all([settings.reload(), settings.reload()]);
  assert.equal(settings.current.limits?.memory_mb, 200);
  assert.deepEqual(told, [200]);
  forget();
  write('');
  await settings.reload();
  assert.equal(settings.current.limits, undefined);
  assert.deepEqual(told, [200]);
});

test('a faulty file throws every problem, changes nothing and tells nobody', async (t) => {
  const { write, settings } = await live(t, '[limits]\nmemory_mb = 300\n');
  const before = settings.current;
  settings.onChange(() => assert.fail('nothing changed'));
  write('[limits]\nmemory_mb = "x"\nfoo = 1\n');
  await assert.rejects(settings.reload(), (error: { code: string; data: { issues: unknown[] } }) => {
    return error.code === 'CONFIG_INVALID' && error.data.issues.length === 2;
  });
  assert.equal(settings.current, before);
});
