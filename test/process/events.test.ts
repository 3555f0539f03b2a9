// Takes seconds: real plugins that emit events and are told of them.
import assert from 'node:assert/strict';
import test from 'node:test';
import { createHost } from '@mmm/host';
import { confined } from '../support/confined.ts';
import { heard, hears, types, until } from '../support/event-plugins.ts';
import { type FixtureHost, fixtureHost } from '../support/fixture-host.ts';

async function ask({ host }: FixtureHost, plugin: string, method: string, params: object) {
  const handle = await host.plugin(plugin);
  const { output } = await handle.execute<{ result?: { id?: string }; error?: { code: number; message: string } }>(
    'run',
    { method, params },
  );
  return output;
}

test(
  'what one plugin emits another one hears, with who said it, and nobody hears what they did not ask for',
  confined,
  async (t) => {
    const world = await fixtureHost(t, [hears('listener', ['weather.*']), hears('deaf', ['sports.*']), 'hears-events']);
    const { result } = await ask(world, 'hears_events', 'emit_event', { type: 'weather.rain', data: { mm: 3 } });
    await world.host.events.deliver();
    const [event, ...more] = heard(world.home, 'listener');
    assert.deepEqual(more, []);
    assert.ok(event);
    const { timestamp, ...rest } = event;
    assert.deepEqual(rest, { id: result?.id, type: 'weather.rain', data: { mm: 3 }, source: 'hears_events' });
    assert.ok(!Number.isNaN(Date.parse(timestamp)));
    assert.deepEqual(types(world.home, 'deaf'), []);
    assert.equal((await world.host.statistics('listener')).counters.eventsHandled, 1);
    assert.equal((await world.host.statistics('hears_events')).counters.eventsEmitted, 1);
  },
);

test(
  'a plugin that was down is told what it missed, by the next host, in the order in which it happened',
  confined,
  async (t) => {
    const world = await fixtureHost(t, [hears('listener', ['build.*']), 'hears-events']);
    await world.host.disable('listener');
    for (let step = 1; step <= 5; step += 1) {
      await ask(world, 'hears_events', 'emit_event', { type: `build.step${step}`, data: { step } });
    }
    await world.host.events.deliver();
    assert.deepEqual(types(world.home, 'listener'), []);
    await world.host.close();
    const next = await createHost({ home: world.home });
    t.after(() => next.close());
    await next.enable('listener');
    await next.events.deliver();
    const expected = [1, 2, 3, 4, 5].map((step) => `build.step${step}`);
    assert.deepEqual(types(world.home, 'listener'), expected);
  },
);

test('only one host of a home delivers, and another takes over when it is closed', confined, async (t) => {
  const world = await fixtureHost(t, [hears('listener', ['build.*'])]);
  const other = await createHost({ home: world.home });
  t.after(() => other.close());
  await world.host.events.deliver();
  await other.emit('build.one');
  await other.events.deliver();
  assert.equal((await other.events.status()).isDelivering, false);
  assert.equal((await world.host.events.status()).isDelivering, true);
  await until(() => types(world.home, 'listener').length === 1);
  await world.host.close();
  await other.emit('build.two');
  await until(() => types(world.home, 'listener').length === 2);
  assert.deepEqual(types(world.home, 'listener'), ['build.one', 'build.two']);
});

test('a session hears what it subscribes to until it unsubscribes or ends', confined, async (t) => {
  const world = await fixtureHost(t, ['hears-events']);
  assert.deepEqual((await ask(world, 'hears_events', 'subscribe_to_event', { type: 'a.*' })).result, {});
  await world.host.emit('a.one');
  await world.host.emit('b.one');
  await world.host.events.deliver();
  await ask(world, 'hears_events', 'unsubscribe_from_event', { type: 'a.*' });
  await world.host.emit('a.two');
  await world.host.events.deliver();
  await ask(world, 'hears_events', 'subscribe_to_event', { type: 'a.*' });
  const plugin = await world.host.plugin('hears_events');
  await plugin.stop();
  await world.host.emit('a.three');
  await world.host.events.deliver();
  await plugin.start();
  await world.host.emit('a.four');
  await world.host.events.deliver();
  assert.deepEqual(types(world.home, 'hears_events'), ['a.one']);
});

test('no plugin can say what the host, the program or another plugin says', confined, async (t) => {
  const world = await fixtureHost(t, [hears('listener', ['*']), 'hears-events']);
  const emit = (type: string) => ask(world, 'hears_events', 'emit_event', { type, data: null });
  for (const type of ['plugin.started', 'event.vetoed', 'before_commit', 'listener.said', 'a b', '', '../x']) {
    const { error } = await emit(type);
    assert.equal(error?.code, -32602, type);
  }
  assert.match(
    (await emit('plugin.crashed')).error?.message ?? '',
    /the host's own. Use .*"hears_events.plugin.crashed"/,
  );
  assert.equal((await emit('hears_events.plugin.started')).error, undefined);
  assert.equal((await emit('weather.rain')).error, undefined);
  await assert.rejects(world.host.emit('plugin.started'), { code: 'CONFIG_INVALID' });
  await assert.rejects(world.host.emit('x', null, { source: 'hears_events:x' }), { code: 'CONFIG_INVALID' });
  const journal = await world.host.events.list({ types: ['before_commit', 'event.vetoed', 'listener.said'] });
  assert.deepEqual(journal, []);
});

test('an event that fails is tried five times, put by, and does not keep the next one back', confined, async (t) => {
  const world = await fixtureHost(t, [hears('listener', ['job.*'])]);
  const { id } = await world.host.emit('job.bad', { answer: 'fail' });
  await world.host.emit('job.good');
  await world.host.events.deliver();
  assert.deepEqual(types(world.home, 'listener'), [...new Array(5).fill('job.bad'), 'job.good']);
  const [letter, ...more] = await world.host.events.deadLetters();
  assert.deepEqual(more, []);
  assert.ok(letter);
  assert.equal(letter.eventId, id);
  assert.equal(letter.consumer, 'listener');
  assert.equal(letter.tries, 5);
  assert.match(letter.error, /it was told to fail/);
  assert.equal((await world.host.statistics('listener')).counters.eventsPutBy, 1);
  assert.match((await world.host.events.retry(letter.id)) ?? '', /told to fail/);
  assert.equal((await world.host.events.deadLetters('listener'))[0]?.tries, 6);
  assert.equal(await world.host.events.drop(letter.id), true);
  assert.equal(await world.host.events.drop(letter.id), false);
  await assert.rejects(world.host.events.retry(letter.id), /No event was put by under the number/);
});

test('an event that kills its consumer each time is put by, too', confined, async (t) => {
  const settings = '[supervision]\nbackoff_ms = 1\nbackoff_max_s = 0.01\ncrashes_max = 100\n';
  const world = await fixtureHost(t, [hears('listener', ['job.*', 'plugin.crashed'])], { settings });
  await world.host.emit('job.deadly', { answer: 'exit' });
  await world.host.emit('job.good');
  await world.host.events.deliver();
  const [letter] = await world.host.events.deadLetters();
  assert.match(letter?.error ?? '', /exit/);
  await world.host.events.deliver();
  const crashes = await world.host.events.list({ types: ['plugin.crashed'] });
  assert.equal(crashes.length, 5, 'and nobody is told of its own crashes');
  assert.equal(types(world.home, 'listener').at(-1), 'job.good');
});

test('events that lead to each other without end are stopped', confined, async (t) => {
  const world = await fixtureHost(t, [hears('ping', ['pong.*']), hears('pong', ['ping.*'])]);
  let data: object = {};
  for (let step = 30; step >= 1; step -= 1) {
    data = { answer: 'emit', emit: { type: step % 2 === 0 ? 'pong.ball' : 'ping.ball', data } };
  }
  await world.host.emit('pong.serve', data);
  for (let turn = 0; turn < 12; turn += 1) await world.host.events.deliver();
  const journal = await world.host.events.list({ types: ['ping.*', 'pong.*'] });
  assert.deepEqual(
    journal.map(({ depth }) => depth),
    [0, 1, 2, 3, 4, 5, 6, 7, 8],
  );
});

test('a plugin that emits without pause is told to stop, and others are not held up', confined, async (t) => {
  const settings = '[events]\nper_second = 5\n';
  const world = await fixtureHost(t, ['hears-events'], { settings });
  const answers = [];
  for (let at = 0; at < 40; at += 1) {
    answers.push(await ask(world, 'hears_events', 'emit_event', { type: 'hears_events.x', data: at }));
  }
  const refused = answers.filter(({ error }) => error !== undefined);
  assert.ok(refused.length >= 20, `${refused.length} of 40 were refused`);
  assert.equal(refused[0]?.error?.code, -32060);
  assert.match(refused[0]?.error?.message ?? '', /so many events a second/);
});

test(
  'a plugin hears what happened from its installation on, and nothing of it is left when it is removed',
  confined,
  async (t) => {
    const world = await fixtureHost(t, [hears('listener', ['job.*'])]);
    // No event was ever emitted in this process, and the next one only emits.
    await world.host.close();
    const next = await createHost({ home: world.home });
    t.after(() => next.close());
    await next.emit('job.bad', { answer: 'fail' });
    await next.events.deliver();
    assert.equal(types(world.home, 'listener').length, 5);
    assert.deepEqual(
      (await next.events.status()).consumers.map(({ consumer, deadLetters }) => [consumer, deadLetters]),
      [['listener', 1]],
    );
    // In the middle of a delivery that takes its time.
    await next.emit('job.slow', { answer: 'hang' });
    await until(() => types(world.home, 'listener').at(-1) === 'job.slow');
    await next.remove('listener');
    assert.deepEqual((await next.events.status()).consumers, []);
    assert.deepEqual(await next.events.deadLetters(), []);
  },
);
