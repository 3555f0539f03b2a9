// Takes seconds: real plugins that are asked before something happens.
import assert from 'node:assert/strict';
import test from 'node:test';
import { confined } from '../support/confined.ts';
import { heard, hears, hooks, types } from '../support/event-plugins.ts';
import { fixtureHost } from '../support/fixture-host.ts';

test('hooks are asked in the order of their names until one vetoes, and the emitter is told', confined, async (t) => {
  const { host, home } = await fixtureHost(t, [
    hooks('c_last', ['before_*']),
    hooks('a_first', ['before_*']),
    hooks('b_other', ['after_*']),
    hears('watcher', ['before_commit', 'event.*']),
  ]);
  const agreed = await host.emit('before_commit', { files: 2 });
  assert.deepEqual(agreed, { id: agreed.id, actions: [] });
  assert.deepEqual(heard(home, 'a_first'), heard(home, 'c_last'));
  assert.deepEqual(types(home, 'b_other'), []);
  const { id, veto } = await host.emit('before_commit', { veto: 'a secret is in it' });
  assert.deepEqual(veto, { plugin: 'a_first', reason: 'a secret is in it' });
  assert.equal(types(home, 'a_first').length, 2);
  assert.equal(types(home, 'c_last').length, 1);
  const [entry] = host.audit.list({ action: 'hook' });
  assert.deepEqual(entry?.detail, { event: id, type: 'before_commit', outcome: 'veto', reason: 'a secret is in it' });
  await host.events.deliver();
  assert.deepEqual(types(home, 'watcher'), ['before_commit', 'before_commit', 'event.vetoed']);
  const vetoed = heard(home, 'watcher').at(-1);
  assert.deepEqual(vetoed?.data, { event: id, type: 'before_commit', plugin: 'a_first', reason: 'a secret is in it' });
  assert.equal(vetoed?.source, 'host:plugins');
});

test('a hook that fails has nothing to say, and that is audited', confined, async (t) => {
  const { host } = await fixtureHost(t, [hooks('optional', ['before_*'])]);
  const failed = await host.emit('before_commit', { answer: 'fail' });
  assert.equal(failed.veto, undefined);
  const crashed = await host.emit('before_commit', { answer: 'exit' });
  assert.equal(crashed.veto, undefined);
  const counted = host.audit.list({ action: 'hook' }).map(({ detail }) => [detail.outcome, detail.counted]);
  assert.deepEqual(counted, [
    ['failed', 'no_answer'],
    ['failed', 'no_answer'],
  ]);
});

test('an important hook that crashes counts as a veto', confined, async (t) => {
  const guard = hooks('guard', ['before_*']);
  const manifest = `schema = 1

[plugin]
name = "guard"
version = "1.0.0"
description = "A fixture"
license = "MIT"
command = ["node", "main.cjs"]
important = true

${guard.more}`;
  const { host } = await fixtureHost(t, [{ ...guard, manifest }]);
  const { veto } = await host.emit('before_commit', { answer: 'exit' });
  assert.equal(veto?.plugin, 'guard');
  assert.match(veto?.reason ?? '', /its hook, which must agree, failed: .*exit/);
  const outcomes = host.audit.list({ action: 'hook' }).map(({ detail }) => detail.counted ?? detail.outcome);
  assert.deepEqual(outcomes, ['veto', 'veto']);
});

test('what hooks want done is done as far as they may do it themselves, in order', confined, async (t) => {
  const compose = '[[permissions.compose]]\nplugin = "worker"\ncapability = "run"\n';
  const { host } = await fixtureHost(t, [
    hooks('a_may', ['after_*'], compose),
    hooks('b_may_not', ['after_*']),
    { behaviour: 'echo', name: 'worker' },
  ]);
  const action = { plugin: 'worker', capability: 'run', input: { n: 1 } };
  const unknown = { plugin: 'nobody', capability: 'run', input: null };
  const { actions } = await host.emit('after_spec_run', { actions: [action, unknown] });
  assert.deepEqual(
    actions.map(({ hook, plugin, ok }) => [hook, plugin, ok]),
    [
      ['a_may', 'worker', true],
      ['a_may', 'nobody', false],
      ['b_may_not', 'worker', false],
      ['b_may_not', 'nobody', false],
    ],
  );
  assert.deepEqual(actions[0]?.output, { n: 1 });
  assert.match(actions[2]?.error ?? '', /compose=worker/);
  assert.equal((await host.statistics('b_may_not')).counters.denials, 2);
  assert.equal((await host.statistics('worker')).executions, 1);
});

test('a plugin that is both hook and subscriber handles an event once', confined, async (t) => {
  const both = hooks('both', ['before_*'], '[subscriptions]\nevents = ["before_*", "deploy.*"]\n');
  const { host, home } = await fixtureHost(t, [both]);
  await host.emit('before_commit', {});
  await host.emit('deploy.done', {});
  await host.events.deliver();
  assert.deepEqual(types(home, 'both'), ['before_commit', 'deploy.done']);
});

test('the host says what becomes of its plugins, and hooks hear that like subscribers', confined, async (t) => {
  const settings = '[supervision]\nbackoff_ms = 1\nbackoff_max_s = 0.01\ncrashes_max = 1\n';
  const fetcher = '[[permissions.network]]\nhost = "example.org"\noptional = true\n';
  const world = await fixtureHost(
    t,
    [hooks('watcher', ['plugin.*']), 'crashes-on-execute', { behaviour: 'echo', more: fetcher }],
    { settings },
  );
  const { host, home, directory } = world;
  await host.events.deliver();
  const killer = await host.plugin('crashes_on_execute');
  for (let attempt = 0; attempt < 3; attempt += 1) await killer.execute('run', { code: 3 }).catch(() => undefined);
  await host.revoke('echo', ['network=example.org:443']);
  await host.grant('echo', ['network=example.org:443']);
  await host.install(`${directory}/echo`);
  await host.remove('echo');
  const told = await host.events.list({ types: ['plugin.*'] });
  const kinds = told.map(({ type, data }) => `${type} ${(data as { plugin: string }).plugin}`);
  for (const expected of [
    'plugin.installed crashes_on_execute',
    'plugin.installed echo',
    'plugin.started crashes_on_execute',
    'plugin.crashed crashes_on_execute',
    'plugin.quarantined crashes_on_execute',
    'plugin.revoked echo',
    'plugin.granted echo',
    'plugin.updated echo',
    'plugin.removed echo',
  ]) {
    assert.ok(kinds.includes(expected), `${expected} is missing in ${kinds.join(', ')}`);
  }
  assert.ok(told.every(({ source }) => source === 'host:plugins'));
  await host.events.deliver();
  assert.ok(types(home, 'watcher').includes('plugin.quarantined'));
});
