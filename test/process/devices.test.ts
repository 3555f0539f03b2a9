// Sound cards are looked for in a folder of this test's own: its nodes lead to /dev/zero, whatever they are called.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { Permission } from '@mmm/protocol';
import { confined } from '../support/confined.ts';
import { confineFixture, fixtureBundle, isRoot, launchFixture, openFolder } from '../support/launch-fixture.ts';

const hasPython = spawnSync('/usr/bin/python3', ['--version']).status === 0;
const withPython = hasPython ? confined : { skip: 'there is no /usr/bin/python3 here' };
const command = ['python3', 'main.py'];
const audioGroup = 29;
const nodes = ['pcmC0D0p', 'pcmC0D0c', 'controlC0', 'timer', 'midiC1D0', 'seq', 'hwC0D0'];
const device = (name: 'audio' | 'midi', optional = false): Permission => ({ kind: 'devices', name, optional });
const volume: Permission = { kind: 'system_control', name: 'volume' };

/** A folder with the nodes of a sound card, as distributions give them to a group. */
function soundFolder(t: TestContext): string | undefined {
  const folder = openFolder(t);
  for (const name of nodes) {
    const path = join(folder, name);
    if (spawnSync('mknod', [path, 'c', '1', '5']).status !== 0) return undefined;
    chownSync(path, 0, audioGroup);
    chmodSync(path, 0o660);
  }
  // Where devices have no effect, such as in a folder mounted so, nothing could be shown.
  return spawnSync('head', ['-c1', join(folder, 'seq')]).status === 0 ? folder : undefined;
}

test('sound, MIDI and volume each show their devices, what records is not shown', {
  ...withPython,
  ...(isRoot ? {} : { skip: 'making device nodes takes root' }),
}, async (t) => {
  const folder = soundFolder(t);
  if (folder === undefined) return t.skip('no device nodes can be made here');
  const bundle = fixtureBundle(t, 'does-as-told-python');
  const machine = { soundFolder: folder };
  const expected: [readonly Permission[], string[]][] = [
    [[], []],
    [[device('audio')], ['controlC0', 'pcmC0D0p', 'timer']],
    [[device('midi')], ['midiC1D0', 'seq']],
    [[volume], ['controlC0']],
    [
      [device('midi'), volume],
      ['controlC0', 'midiC1D0', 'seq'],
    ],
  ];
  for (const [granted, names] of expected) {
    const { ask } = await launchFixture(t, { bundle, command, granted, machine });
    const shown = await ask({ code: `sorted(os.listdir('/dev/snd')) if os.path.exists('/dev/snd') else []` });
    assert.equal(shown, `ok [${names.map((name) => `'${name}'`).join(', ')}]`);
    for (const name of nodes) {
      const opened = await ask({ code: `len(os.read(os.open('/dev/snd/${name}', os.O_RDWR), 8))` });
      assert.equal(opened, names.includes(name) ? 'ok 8' : 'error ENOENT', name);
    }
    const groups = names.length === 0 ? '[]' : `[${audioGroup}]`;
    assert.equal(await ask({ code: 'os.getgroups()' }), `ok ${groups}`);
  }
});

test(
  'a required device that is not there or cannot be used refuses the start, an optional one does not',
  confined,
  async (t) => {
    const bundle = openFolder(t);
    const attempt = (granted: readonly Permission[], folder: string) =>
      confineFixture(t, { bundle, command: ['true'], granted, machine: { soundFolder: folder } });
    const empty = openFolder(t);
    for (const folder of [empty, join(empty, 'nowhere')]) {
      await assert.rejects(attempt([device('audio')], folder), {
        code: 'GRANT_UNUSABLE',
        message: /needs devices=audio, and this machine has nothing for it in /,
      });
      assert.deepEqual((await attempt([device('audio', true)], folder)).level, 'process');
    }
    mkdirSync(join(empty, 'seq'));
    await assert.rejects(attempt([device('midi')], empty), { code: 'GRANT_UNUSABLE' }, 'a folder is no device');
    assert.ok(statSync(join(empty, 'seq')).isDirectory());
  },
);
