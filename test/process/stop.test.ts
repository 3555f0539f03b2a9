import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { systemClock } from '@mmm/rpc';
import { confined } from '../support/confined.ts';
import { descendantsOf, stillRunning } from '../support/descendants.ts';
import { fixtureHost } from '../support/fixture-host.ts';
import { installNative } from '../support/native-plugins.ts';
import { compileFixture, hasCompiler } from '../support/native-program.ts';

const compiled = hasCompiler ? confined : { skip: 'there is no C compiler here' };
/** Eight seconds are promised, most of them set times of waiting; the rest is work, which a busy machine does later. */
const closeMaxMs = 16_000;

/** What runs below this process since now: what compiles the tests runs there too. */
function sinceNow(): () => ReturnType<typeof descendantsOf> {
  const already = new Set(descendantsOf(process.pid).map(({ pid }) => pid));
  return () => descendantsOf(process.pid).filter(({ pid }) => !already.has(pid));
}

test('fifty plugins that ignore every request and every signal are gone within eight seconds', compiled, async (t) => {
  const started = sinceNow();
  const { host, directory } = await fixtureHost(t, []);
  const program = join(directory, 'will-not-go');
  compileFixture('will-not-go', program);
  const names = Array.from({ length: 50 }, (_, index) => `stubborn_${index}`);
  await installNative(host, { program, words: ['ignores-signals'], names, directory });
  const plugins = await Promise.all(names.map((name) => host.plugin(name)));
  // From this answer on they do nothing that they are asked to.
  for (const { output } of await Promise.all(plugins.map((plugin) => plugin.execute('run', {})))) {
    assert.equal(output, 'well');
  }
  const before = started();
  assert.ok(before.length >= names.length, `${before.length} processes run`);
  const startedMs = systemClock.monotonic();
  await host.close();
  const tookMs = systemClock.monotonic() - startedMs;
  assert.deepEqual(stillRunning(before), []);
  assert.ok(tookMs < closeMaxMs, `${tookMs} ms`);
  for (const { state } of plugins) assert.equal(state.kind, 'stopped');
});

test('a chain of stubborn plugins that need each other is gone in the same time', compiled, async (t) => {
  const started = sinceNow();
  const program = join((await fixtureHost(t, [])).directory, 'will-not-go');
  compileFixture('will-not-go', program);
  const names = Array.from({ length: 6 }, (_, index) => `chain_${index}`);
  const { host, directory } = await fixtureHost(t, []);
  await installNative(host, {
    ...{ program, words: ['ignores-signals'], directory, names },
    more: (index) => {
      const next = names[index + 1];
      return next === undefined ? '' : `[[dependencies]]\nplugin = "${next}"\nversion = "*"\n`;
    },
  });
  const [first = ''] = names;
  await (await host.plugin(first)).start();
  for (const name of names) await (await host.plugin(name)).execute('run', {});
  const before = started();
  assert.ok(before.length >= names.length, `${before.length} processes run`);
  const startedMs = systemClock.monotonic();
  await host.close();
  const tookMs = systemClock.monotonic() - startedMs;
  assert.deepEqual(stillRunning(before), []);
  assert.ok(tookMs < closeMaxMs, `${tookMs} ms`);
});
