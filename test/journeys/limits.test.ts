import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mmm } from '../support/cli.ts';
import { confined } from '../support/confined.ts';
import { snippets } from '../support/documents.ts';
import { copyFixture } from '../support/fixture-host.ts';

import { tempFolder } from '../support/temp-folder.ts';

test('limits are set as the page about them says, shown, and checked by the doctor', confined, async (t) => {
  const [manifest = '', settings = ''] = snippets('docs/limits.md', 'toml');
  const directory = tempFolder(t);
  chmodSync(directory, 0o755);
  const home = join(directory, 'home');
  const run = (...argv: string[]) => mmm({ home, cwd: directory }, ...argv);
  copyFixture({ behaviour: 'echo', name: 'greeter', more: manifest }, directory);
  for (const words of [
    ['key', 'new'],
    ['plugin', 'sign', 'greeter'],
    ['plugin', 'install', 'greeter'],
  ]) {
    const { code, stderr } = await run(...words);
    assert.equal(code, 0, stderr);
  }
  writeFileSync(join(home, 'config.toml'), settings, { mode: 0o600 });
  const { limits } = JSON.parse((await run('plugin', 'info', 'greeter', '--json')).stdout);
  assert.deepEqual(
    [limits.memory_mb, limits.processes, limits.calls_per_second, limits.disk_mb, limits.log_lines_per_second],
    [768, 64, 5, 100, 50],
  );
  assert.equal(limits.cpu, null);
  const { stdout } = await run('plugin', 'info', 'greeter');
  assert.match(stdout, /memory_mb +768 \(its manifest asks for 1024\)/);
  assert.match(stdout, /cpu +no limit/);
  assert.equal((await run('plugin', 'exec', 'greeter', 'run', '--input', '1')).stdout, '1\n');
  const doctor = await run('doctor');
  for (const name of Object.keys(limits).filter((key) => key !== 'cut')) {
    assert.match(doctor.stdout, new RegExp(`✓ limit ${name}: `));
  }
});

test('a limit that is not known is refused with its place in the file', confined, async (t) => {
  const home = join(tempFolder(t), 'home');
  assert.equal((await mmm({ home }, 'key', 'new')).code, 0);
  writeFileSync(join(home, 'config.toml'), '[limits]\nmemry_mb = 5\n', { mode: 0o600 });
  const { code, stderr } = await mmm({ home }, 'plugin', 'list');
  assert.notEqual(code, 0);
  assert.match(stderr, /config\.toml:2:1/);
  assert.match(stderr, /memory_mb/);
});
