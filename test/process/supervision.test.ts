import assert from 'node:assert/strict';
import { chmodSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import type { Plugin, PluginState } from '@mmm/host';
import { MmmError } from '@mmm/protocol';
import { confined } from '../support/confined.ts';
import { type Fixture, fixtureHost } from '../support/fixture-host.ts';
import { tempFolder } from '../support/temp-folder.ts';

const crashing: Fixture = { behaviour: 'crashes-on-execute' };

/** Resolves when the plugin is in one of these states, from now on. */
async function reaches(t: Pick<TestContext, 'after'>, plugin: Plugin, ...kinds: PluginState['kind'][]) {
  if (kinds.includes(plugin.state.kind)) return plugin.state;
  const end = new AbortController();
  t.after(() => end.abort());
  for await (const state of plugin.changes(end.signal)) {
    if (kinds.includes(state.kind)) return state;
  }
  throw new Error('the changes ended');
}

function outcome(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'answered',
    (error: unknown) => (error instanceof MmmError ? error.code : String(error)),
  );
}

test(
  'a crash loop ends in quarantine; a trial start that crashes leads back, a reset leads out',
  confined,
  async (t) => {
    const settings = '[supervision]\ncrashes_max = 3\nbackoff_ms = 1\nquarantine_s = 0.2\n';
    const { host } = await fixtureHost(t, [crashing], { settings });
    const plugin = await host.plugin('crashes_on_execute');
    for (const input of [{ signal: 'SIGSEGV' }, { code: 3 }, { signal: 'SIGKILL' }]) {
      assert.equal(await outcome(plugin.execute('run', input)), 'PLUGIN_EXITED');
      await reaches(t, plugin, 'backoff', 'quarantined');
    }
    assert.equal(plugin.state.kind, 'quarantined');
    await assert.rejects(plugin.execute('run', {}), (error) => {
      assert.ok(MmmError.is(error, 'PLUGIN_UNAVAILABLE'), String(error));
      assert.match(error.message, /was ended by SIGKILL/);
      assert.equal(error.data.state, 'quarantined');
      return true;
    });
    assert.equal((await host.info('crashes_on_execute')).state, 'quarantined');

    let tried = 'PLUGIN_UNAVAILABLE';
    while (tried === 'PLUGIN_UNAVAILABLE') tried = await outcome(plugin.execute('run', { code: 4 }));
    assert.equal(tried, 'PLUGIN_EXITED', 'after its time one call is let through');
    await reaches(t, plugin, 'quarantined');

    const report = await host.reset('crashes_on_execute');
    assert.match(report.quarantine?.cause ?? '', /exited with code 4/);
    assert.deepEqual((await plugin.execute('run', { works: true })).output, { works: true });
    const { exits } = await host.statistics('crashes_on_execute');
    assert.deepEqual([exits.signal, exits.exit], [2, 2]);
  },
);

test('crashes with quarantine switched off are followed by a restart each time', confined, async (t) => {
  const settings = '[supervision]\ncrashes_max = 0\nbackoff_max_s = 0.05\n';
  const { host } = await fixtureHost(t, [crashing], { settings });
  const plugin = await host.plugin('crashes_on_execute');
  for (let count = 0; count < 12; count += 1) {
    assert.equal(await outcome(plugin.execute('run', { signal: 'SIGKILL' })), 'PLUGIN_EXITED', `crash ${count}`);
  }
  assert.equal((await plugin.execute('run', 'fine')).output, 'fine');
});

test('an idempotent call is made once more on a new process, and not a third time', confined, async (t) => {
  const { host } = await fixtureHost(t, [{ ...crashing, more: 'idempotent = true' }], {
    settings: '[supervision]\ncrashes_max = 0\nbackoff_max_s = 0.01\n',
  });
  const plugin = await host.plugin('crashes_on_execute');
  assert.equal(await outcome(plugin.execute('run', { code: 1 })), 'PLUGIN_EXITED');
  assert.equal((await host.statistics('crashes_on_execute')).loads, 2);
});

test('a plugin that no longer answers is shown as degraded, ended, and its calls told why', confined, async (t) => {
  const { host } = await fixtureHost(t, [{ behaviour: 'stops-answering', command: ['python3', 'main.py'] }], {
    settings: '[supervision]\nping_after_s = 0.1\ndegraded_after_s = 0.1\nunresponsive_after_s = 0.5\n',
  });
  const plugin = await host.plugin('stops_answering');
  await plugin.start();
  const degraded = reaches(t, plugin, 'degraded');
  const call = plugin.execute('run', { hang: true });
  await assert.rejects(call, (error) => {
    assert.ok(MmmError.is(error, 'PLUGIN_EXITED'), String(error));
    assert.equal(error.data.reason.kind, 'unresponsive');
    assert.match(error.message, /did not answer a ping for 0\.5 s during a call[\s\S]*stuck now/);
    return true;
  });
  await degraded;
  assert.deepEqual((await plugin.execute('run', { well: true })).output, { well: true });
});

test('a plugin nobody calls is stopped, and the next call starts it again', confined, async (t) => {
  const { host } = await fixtureHost(t, ['echo'], { settings: '[supervision]\nidle_stop_s = 0.05\n' });
  const plugin = await host.plugin('echo');
  await plugin.execute('run', 1);
  const stopped = await reaches(t, plugin, 'stopped');
  assert.deepEqual(stopped, { kind: 'stopped', reason: 'it was not called for 0.05 s' });
  assert.equal((await plugin.execute('run', 2)).output, 2);
});

test('a launch that fails is counted with its cause, and the first one is not tried again', confined, async (t) => {
  const { host } = await fixtureHost(t, ['exits-before-hello']);
  const plugin = await host.plugin('exits_before_hello');
  assert.equal(await outcome(plugin.execute('run', {})), 'LAUNCH_FAILED');
  assert.equal(plugin.state.kind, 'failed');
  const { exits, lastExits } = await host.statistics('exits_before_hello');
  assert.equal(
    Object.values(exits).reduce((sum, count) => sum + count, 0),
    1,
  );
  assert.equal(lastExits[0]?.kind, plugin.lastExit?.kind);
});

test('a grant lifts a quarantine', confined, async (t) => {
  const folder = tempFolder(t);
  chmodSync(folder, 0o755);
  const key = `filesystem=read:${folder}`;
  const more = `[[permissions.filesystem]]\npath = "${folder}"\naccess = "read"\nreason = "r"\noptional = true\n`;
  const fixture = { ...crashing, more: `${more}[restart]\nmax = 1` };
  const { host } = await fixtureHost(t, [fixture]);
  const plugin = await host.plugin('crashes_on_execute');
  assert.equal(await outcome(plugin.execute('run', { code: 9 })), 'PLUGIN_EXITED');
  assert.equal(await outcome(plugin.execute('run', {})), 'PLUGIN_UNAVAILABLE');
  await host.grant(plugin.id, [key]);
  assert.equal(await outcome(plugin.execute('run', {})), 'answered');
});

test('what an earlier host learnt of a plugin holds in the next one', confined, async (t) => {
  const settings = '[supervision]\ncrashes_max = 1\n';
  const { host, home } = await fixtureHost(t, [crashing], { settings });
  assert.equal(await outcome((await host.plugin('crashes_on_execute')).execute('run', { code: 9 })), 'PLUGIN_EXITED');
  await host.close();
  const { createHost } = await import('@mmm/host');
  const next = await createHost({ home });
  t.after(() => next.close());
  assert.equal((await next.list())[0]?.state, 'quarantined');
  const plugin = await next.plugin('crashes_on_execute');
  assert.equal(await outcome(plugin.execute('run', {})), 'PLUGIN_UNAVAILABLE');
});
