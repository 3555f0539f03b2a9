import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import {
  defaultLimits,
  howToRaise,
  limitsSection,
  pluginLimits,
} from '../../../../packages/host/src/settings/limits.ts';

test('a plugin that asks for nothing gets the defaults', () => {
  const { cut, ...limits } = pluginLimits('greeter', {}, undefined);
  assert.deepEqual(limits, defaultLimits);
  assert.deepEqual(cut, []);
});

test('what a manifest asks for beats the general setting, and the most it may ask for beats that', () => {
  const settings = limitsSection.parse({ memory_mb: 100, cpu: 1, max: { memory_mb: 300 } });
  assert.equal(pluginLimits('greeter', {}, settings).memory_mb, 100);
  assert.equal(pluginLimits('greeter', { memory_mb: 200 }, settings).memory_mb, 200);
  const greedy = pluginLimits('greeter', { memory_mb: 999 }, settings);
  assert.equal(greedy.memory_mb, 300);
  assert.deepEqual(greedy.cut, [{ name: 'memory_mb', asked: 999, given: 300 }]);
  assert.equal(greedy.cpu, 1);
});

test('without settings a manifest cannot ask for the whole machine either', () => {
  assert.equal(pluginLimits('greedy', { memory_mb: 1e6 }, undefined).memory_mb, hostLimits.memoryMaxMb);
});

test('what the settings say of one plugin beats everything else, for that plugin alone', () => {
  const settings = limitsSection.parse({
    max: { memory_mb: 300 },
    plugins: { greeter: { memory_mb: 700, files: 16 } },
  });
  assert.equal(pluginLimits('greeter', { memory_mb: 999 }, settings).memory_mb, 700);
  assert.equal(pluginLimits('greeter', {}, settings).files, 16);
  assert.equal(pluginLimits('other', { memory_mb: 999 }, settings).memory_mb, 300);
});

for (const wrong of [{ memory_mb: 0 }, { memory: 5 }, { max: { plugins: {} } }, { plugins: { 'No Name': {} } }]) {
  test(`${JSON.stringify(wrong)} is refused`, () => {
    assert.equal(limitsSection.safeParse(wrong).success, false);
  });
}

test('what to change is said so that it can be copied', () => {
  assert.match(howToRaise('greeter', 'cpu'), /raise cpu in \[limits\.plugins\.greeter\] of config\.toml/);
  assert.match(howToRaise('acme/greeter', 'cpu'), /\[limits\.plugins\."acme\/greeter"\]/);
});
