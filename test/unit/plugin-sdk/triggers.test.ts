import assert from 'node:assert/strict';
import { appendFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { type ArmedTrigger, definePlugin, defineTrigger, type Plugin, RpcError } from '@mmm/plugin-sdk';
import { type TestHost, testPlugin } from '@mmm/plugin-sdk/testing';
import { tempFolder } from '../../support/temp-folder.ts';

interface Armed {
  readonly trigger: ArmedTrigger<Record<string, unknown>>;
  stopped: number;
}

/** A plugin whose trigger hands itself to the test. */
function plugin(armed: Armed[], durable = true): Plugin {
  return definePlugin({
    name: 'teller',
    version: '1.0.0',
    triggers: {
      tell: defineTrigger({
        durable,
        start: (trigger) => {
          if (trigger.config['refuse'] === true) throw new Error('not that');
          const entry = { trigger, stopped: 0 };
          armed.push(entry);
          return () => {
            entry.stopped += 1;
          };
        },
      }),
    },
  });
}

async function start(t: TestContext, dataDirectory = tempFolder(t), durable = true) {
  const armed: Armed[] = [];
  const host = await testPlugin(plugin(armed, durable), { dataDirectory });
  t.after(() => host.shutdown());
  await arm(host);
  const [first] = armed;
  assert.ok(first !== undefined);
  return { host, armed, emit: first.trigger.emit, dataDirectory };
}

const arm = (host: TestHost, config = {}, instance = 'one') =>
  host.request('start_trigger', { trigger: 'tell', instance, config });
const poll = (
  host: TestHost,
  ack: string | null,
  more: { max?: number; wait_ms?: number; instances?: string[] } = {},
) => host.request('poll_events', { ack, max: 100, wait_ms: 0, ...more });
const numbers = ({ events }: { events: readonly { data: unknown }[] }) => events.map(({ data }) => data);

test('events come in order until they are acknowledged, and never again after that', async (t) => {
  const { host, emit } = await start(t);
  for (const data of [1, 2, 3]) await emit({ type: 'teller.told', data });
  const first = await poll(host, null, { max: 2 });
  assert.deepEqual(numbers(first), [1, 2]);
  assert.deepEqual(numbers(await poll(host, null)), [1, 2, 3]);
  const second = await poll(host, first.cursor);
  assert.deepEqual(numbers(second), [3]);
  assert.deepEqual(numbers(await poll(host, second.cursor)), []);
  assert.deepEqual(numbers(await poll(host, null)), []);
});

test('each event has an id of its own or the one that it was given, and says when it happened', async (t) => {
  const { host, emit } = await start(t);
  await emit({ type: 'teller.told' });
  await emit({ type: 'teller.told', id: 'mine', at: new Date('2026-01-02T03:04:05Z') });
  const { events } = await poll(host, null);
  assert.match(events[0]?.id ?? '', /^[0-9a-f]{12}-1$/);
  assert.equal(events[0]?.data, null);
  assert.deepEqual(events[1], {
    ...{ id: 'mine', instance: 'one', type: 'teller.told', data: null },
    timestamp: '2026-01-02T03:04:05.000Z',
  });
});

test('a poll waits for the next event', async (t) => {
  const { host, emit } = await start(t);
  const polled = poll(host, null, { wait_ms: 20_000 });
  await emit({ type: 'teller.told', data: 7 });
  assert.deepEqual(numbers(await polled), [7]);
});

test('what was not acknowledged is told by the next process, and its numbers go on', async (t) => {
  const { host, emit, dataDirectory } = await start(t);
  for (const data of [1, 2, 3]) await emit({ type: 'teller.told', data });
  const { cursor } = await poll(host, null, { max: 1 });
  await poll(host, cursor);
  // As if it were killed: the next process finds the file as it is.
  const next = await start(t, dataDirectory);
  await next.emit({ type: 'teller.told', data: 4 });
  const again = await poll(next.host, null);
  assert.deepEqual(numbers(again), [2, 3, 4]);
  assert.equal(new Set(again.events.map(({ id }) => id)).size, 3);
  assert.deepEqual(numbers(await poll(next.host, again.cursor)), []);
});

test('a line that a crash cut off takes no other one with it', async (t) => {
  const { emit, dataDirectory } = await start(t);
  await emit({ type: 'teller.told', data: 1 });
  appendFileSync(join(dataDirectory, '.triggers/events.jsonl'), '{"seq":2,"event":{"id":"x","inst');
  const next = await start(t, dataDirectory);
  await next.emit({ type: 'teller.told', data: 2 });
  const third = await start(t, dataDirectory);
  assert.deepEqual(numbers(await poll(third.host, null)), [1, 2]);
});

test('a file of rubbish is as none', async (t) => {
  const { emit, dataDirectory } = await start(t);
  await emit({ type: 'teller.told', data: 1 });
  writeFileSync(join(dataDirectory, '.triggers/events.jsonl'), '\0\0 not json\n[]\n');
  const next = await start(t, dataDirectory);
  assert.deepEqual(numbers(await poll(next.host, null)), []);
});

test('a cursor of another life acknowledges nothing', async (t) => {
  const { host, emit } = await start(t);
  await emit({ type: 'teller.told', data: 1 });
  for (const ack of ['', 'x', '0123456789ab.1', `${'a'.repeat(1000)}.1`]) {
    assert.deepEqual(numbers(await poll(host, ack)), [1], ack);
  }
});

test('events of a trigger that is not durable stay in memory', async (t) => {
  const { host, emit, dataDirectory } = await start(t, undefined, false);
  await emit({ type: 'teller.told', data: 1 });
  assert.deepEqual(numbers(await poll(host, null)), [1]);
  const next = await start(t, dataDirectory);
  assert.deepEqual(numbers(await poll(next.host, null)), []);
});

test('the file is written anew when most of it is acknowledged', async (t) => {
  const { host, emit, dataDirectory } = await start(t);
  for (let round = 0; round < 20; round += 1) {
    await emit({ type: 'teller.told', data: 'x'.repeat(100_000) });
    const { cursor } = await poll(host, null);
    await poll(host, cursor);
  }
  assert.ok(readFileSync(join(dataDirectory, '.triggers/events.jsonl')).length < 1_300_000);
});

test('with instances a poll gives no event behind one that it leaves out', async (t) => {
  const { host, armed } = await start(t);
  await arm(host, {}, 'two');
  const [one, two] = armed.map(({ trigger }) => trigger);
  await one?.emit({ type: 'teller.told', data: 1 });
  await two?.emit({ type: 'teller.told', data: 2 });
  await one?.emit({ type: 'teller.told', data: 3 });
  assert.deepEqual(numbers(await poll(host, null, { instances: ['one'] })), [1]);
  assert.deepEqual(numbers(await poll(host, null, { instances: ['two'] })), []);
});

test('armed again with the same it goes on; with something else, or disarmed, it is stopped', async (t) => {
  const { host, armed } = await start(t);
  await arm(host);
  assert.equal(armed.length, 1);
  await arm(host, { other: true });
  assert.deepEqual(
    armed.map(({ stopped }) => stopped),
    [1, 0],
  );
  await host.request('stop_trigger', { instance: 'one' });
  await host.request('stop_trigger', { instance: 'one' });
  assert.deepEqual(
    armed.map(({ stopped }) => stopped),
    [1, 1],
  );
  await assert.rejects(armed[1]?.trigger.emit({ type: 'teller.told' }) ?? Promise.resolve(), /disarmed/);
});

test('what refuses to start is an error, and so is a trigger that is not there', async (t) => {
  const { host } = await start(t);
  await assert.rejects(arm(host, { refuse: true }, 'two'), /not that/);
  await assert.rejects(
    host.request('start_trigger', { trigger: 'tel', instance: 'two', config: {} }),
    (error: unknown) => error instanceof RpcError && error.is('UnknownCapability'),
  );
});

test('an event that is too large is refused where it is told', async (t) => {
  const { emit } = await start(t);
  await assert.rejects(emit({ type: 'teller.told', data: 'x'.repeat(300 * 1024) }), RangeError);
});

test('with too many unacknowledged events telling one more waits for an acknowledgement', async (t) => {
  const { host, emit } = await start(t, undefined, false);
  for (let count = 0; count < 10_000; count += 1) await emit({ type: 'teller.told' });
  let told = false;
  const one = emit({ type: 'teller.told' }).then(() => {
    told = true;
  });
  const { cursor } = await poll(host, null);
  assert.equal(told, false);
  await poll(host, cursor);
  await one;
});

test('a trigger without a function is refused when it is defined', () => {
  assert.throws(() => defineTrigger({} as never), /start\(trigger, context\)/);
});
