import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { readSettings } from '../../../../packages/host/src/settings/settings.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

function written(t: TestContext, text: string | Buffer): string {
  const file = join(tempFolder(t), 'config.toml');
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

async function problem(file: string): Promise<MmmError<'CONFIG_INVALID'>> {
  const error = await readSettings(file).then(
    () => assert.fail('it was accepted'),
    (reason: unknown) => reason,
  );
  assert.ok(MmmError.is(error, 'CONFIG_INVALID'), String(error));
  assert.equal(error.data.file, file);
  return error;
}

test('without a file everything is as by default', async (t) => {
  const file = join(tempFolder(t), 'config.toml');
  assert.deepEqual(await readSettings(file), { file, exists: false });
});

test('an empty file is one without sections, and a policy comes with its defaults', async (t) => {
  const empty = written(t, '\uFEFF# nothing yet\n');
  assert.deepEqual(await readSettings(empty), { file: empty, exists: true });
  const file = written(
    t,
    '[policy]\nauto = ["network"]\n[policy.plugins.weather]\nrefuse = ["filesystem=read:/srv"]\n',
  );
  assert.deepEqual((await readSettings(file)).policy, {
    auto: ['network'],
    ask: [],
    refuse: [],
    require: [],
    plugins: { weather: { auto: [], ask: [], refuse: ['filesystem=read:/srv'] } },
  });
});

test('every problem is told with its line, its column and what was probably meant', async (t) => {
  const file = written(
    t,
    [
      '[polcy]',
      'auto = []',
      '[policy]',
      'auto = ["network", "hihg"]',
      'refuse = ["network", "network=EXAMPLE.com"]',
      'sandbox = "container"',
      'requires = ["memory"]',
      '[policy.plugins."Not A Name"]',
      '',
    ].join('\n'),
  );
  const { message, data } = await problem(file);
  for (const line of [
    ':1:1: polcy is not a known key; did you mean "policy"?',
    ':4:20: policy.auto\\[1\\] must be a risk level .* found "hihg"; did you mean "high"\\?',
    ':5:22: policy.refuse\\[1\\] is no permission: .* must be host\\[:port\\] in lower-case ASCII',
    ':6:11: policy.sandbox must be one of "process", "landlock", found the string "container"',
    ':7:1: policy.requires is not a known key; did you mean "require"?',
    ':8:1: policy.plugins."Not A Name" is not a key that can stand here',
  ]) {
    const pattern = line.includes('.*') ? line : line.replace(/[.?[\]]/g, '\\$&');
    assert.match(message, new RegExp(`config\\.toml${pattern}`), line);
  }
  assert.match(message, /The settings file .*config\.toml has 6 problems\.\n/);
  assert.match(message, /\| refuse = \["network", "network=EXAMPLE\.com"\]\n/);
  assert.equal(data.issues.length, 6);
  assert.equal(data.issues[0]?.path, 'polcy');
});

test('one entry in two lists and a critical one in auto are refused where they stand', async (t) => {
  const file = written(
    t,
    '[policy]\nauto = ["network", "critical"]\nrefuse = ["network"]\n[policy.plugins.a]\nask = ["low"]\n',
  );
  const { message } = await problem(file);
  assert.match(
    message,
    /config\.toml:2:20: policy\.auto\[1\] cannot be "critical": those are asked about one by one\n/,
  );
  assert.match(message, /config\.toml:3:11: policy\.refuse\[0\] holds "network", as auto does\n/);
});

test('what is no TOML, no UTF-8, too large or no plain data is refused', async (t) => {
  const cases: readonly [string | Buffer, RegExp][] = [
    ['[policy\n', /config\.toml:1:\d+: is not valid TOML: /],
    [Buffer.from([0x5b, 0xff, 0x5d]), /it is not UTF-8/],
    [`# ${'x'.repeat(256 * 1024)}`, /it is larger than 256 KiB/],
    ['[policy]\nauto = [nan]\n', /config\.toml:2:9: policy\.auto\[0\] must be a finite number/],
    ['[policy.plugins]\n"__proto__" = {}\n', /is not allowed as a key/],
  ];
  for (const [text, expected] of cases) assert.match((await problem(written(t, text))).message, expected);
});

test('a file that others can write would decide for its owner, and is refused; one they can read is not', async (t) => {
  const file = written(t, '[policy]\n');
  for (const mode of [0o620, 0o602]) {
    chmodSync(file, mode);
    assert.match((await problem(file)).message, /others may write it; run: chmod go-w/);
  }
  chmodSync(file, 0o644);
  assert.equal((await readSettings(file)).exists, true);
});

test('a link is followed; a folder and a pipe are refused without waiting', { timeout: 5000 }, async (t) => {
  const file = written(t, '[policy]\n');
  const folder = tempFolder(t);
  const link = join(folder, 'config.toml');
  symlinkSync(file, link);
  assert.equal((await readSettings(link)).exists, true);
  mkdirSync(join(folder, 'dir'));
  assert.match((await problem(join(folder, 'dir'))).message, /it is not a file/);
  execFileSync('mkfifo', ['-m', '0600', join(folder, 'pipe')]);
  assert.match((await problem(join(folder, 'pipe'))).message, /it is not a file/);
});
