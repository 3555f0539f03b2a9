import assert from 'node:assert/strict';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { ConsumerAway, type EventConsumer } from '../../../../packages/host/src/events/consumer.ts';
import { EventDispatcher } from '../../../../packages/host/src/events/dispatcher.ts';
import { typeMatcher } from '../../../../packages/host/src/events/glob.ts';
import type { JournalEvent } from '../../../../packages/host/src/events/journal.ts';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { type EventWorld, eventWorld, happens } from '../../../support/event-world.ts';
import { settled } from '../../../support/fake-clock.ts';

function dispatcherOf(t: TestContext, { journal, store, clock, folder }: EventWorld): EventDispatcher {
  const dispatcher = new EventDispatcher({ journal, store, clock, lockFile: join(folder, 'events.lock') });
  t.after(() => dispatcher.close());
  return dispatcher;
}

interface Heard extends EventConsumer {
  readonly types: string[];
}

function consumer(name: string, globs: readonly string[], more: Partial<EventConsumer> = {}): Heard {
  const types: string[] = [];
  const wants = typeMatcher(globs);
  return {
    ...{ name, isDurable: true, types },
    wants: ({ type }) => wants(type),
    handle: async ({ type }: JournalEvent) => void types.push(type),
    ...more,
  };
}

test('a consumer hears what it wants, in order, from the moment on at which it is known', async (t) => {
  const world = eventWorld(t);
  const dispatcher = dispatcherOf(t, world);
  await world.journal.append([happens('a.before')]);
  const heard = consumer('one', ['a.*']);
  dispatcher.add(heard);
  await world.journal.append([happens('a.one'), happens('b.one'), happens('a.two')]);
  assert.deepEqual(heard.types, [], 'it sleeps until it is woken');
  dispatcher.wake();
  await settled();
  await world.journal.append([happens('a.three')]);
  await settled();
  assert.deepEqual(heard.types, ['a.one', 'a.two', 'a.three']);
});

test('it goes on where it was when another dispatcher takes over', async (t) => {
  const world = eventWorld(t);
  const first = dispatcherOf(t, world);
  first.add(consumer('one', ['*']));
  first.wake();
  await world.journal.append([happens('a.one')]);
  await settled();
  const second = dispatcherOf(t, world);
  const heard = consumer('one', ['*']);
  second.add(heard);
  second.wake();
  await world.journal.append([happens('a.two')]);
  await settled();
  assert.deepEqual([first.isDelivering, second.isDelivering], [true, false]);
  assert.deepEqual(heard.types, []);
  await first.close();
  await world.journal.append([happens('a.three')]);
  await world.clock.advance(hostLimits.eventPollMs);
  assert.equal(second.isDelivering, true);
  assert.deepEqual(heard.types, ['a.three']);
});

test('an event is tried five times, with growing pauses, and the next one waits for it', async (t) => {
  const world = eventWorld(t);
  const dispatcher = dispatcherOf(t, world);
  const tries: string[] = [];
  const dead: string[] = [];
  const failing = consumer('one', ['*'], {
    handle: async ({ type }) => {
      tries.push(`${type} ${world.clock.monotonic()}`);
      if (type === 'a.bad') throw new Error('no');
    },
    onDead: ({ type }, error) => dead.push(`${type} ${error}`),
  });
  dispatcher.add(failing);
  dispatcher.wake();
  await world.journal.append([happens('a.bad'), happens('a.good')]);
  await world.clock.advance(10_000);
  assert.deepEqual(tries, ['a.bad 0', 'a.bad 250', 'a.bad 750', 'a.bad 1750', 'a.bad 3750', 'a.good 3750']);
  assert.deepEqual(dead, ['a.bad no']);
  const [letter] = world.store.deadLetters('one');
  assert.deepEqual([letter?.type, letter?.tries, letter?.error], ['a.bad', 5, 'no']);
  assert.equal(world.store.deadCounts().get('one'), 1);
});

test('a consumer that is away uses up no try, and is asked again soon when it is back', async (t) => {
  const world = eventWorld(t);
  const dispatcher = dispatcherOf(t, world);
  let isAway = true;
  const heard: string[] = [];
  dispatcher.add(
    consumer('one', ['*'], {
      handle: async ({ type }) => {
        if (isAway) throw new ConsumerAway('away');
        heard.push(type);
      },
    }),
  );
  dispatcher.wake();
  await world.journal.append([happens('a.one')]);
  await world.clock.advance(60 * 60_000);
  assert.deepEqual(world.store.deadLetters(), []);
  isAway = false;
  dispatcher.hurry('one');
  await settled();
  assert.deepEqual(heard, ['a.one']);
});

test('tries count on when the consumer was away between them', async (t) => {
  const world = eventWorld(t);
  const dispatcher = dispatcherOf(t, world);
  let turn = 0;
  dispatcher.add(
    consumer('one', ['*'], {
      handle: async () => {
        turn += 1;
        throw turn % 2 === 0 ? new ConsumerAway('away') : new Error('no');
      },
    }),
  );
  dispatcher.wake();
  await world.journal.append([happens('a.bad')]);
  await world.clock.advance(60 * 60_000);
  assert.equal(world.store.deadLetters()[0]?.tries, 5);
});

test('a consumer of this life begins with what comes next and leaves nothing behind', async (t) => {
  const world = eventWorld(t);
  const dispatcher = dispatcherOf(t, world);
  await world.journal.append([happens('a.before')]);
  dispatcher.wake();
  const heard = consumer('session', ['a.*'], { isDurable: false });
  const end = dispatcher.add(heard);
  await world.journal.append([happens('a.one')]);
  await settled();
  await end();
  await world.journal.append([happens('a.two')]);
  await settled();
  assert.deepEqual(heard.types, ['a.one']);
  assert.deepEqual(world.store.consumers(), []);
});

test('settled waits for what is being handled, and for nobody who is away', async (t) => {
  const world = eventWorld(t);
  const dispatcher = dispatcherOf(t, world);
  let resolve: () => void = () => undefined;
  const promise = new Promise<void>((done) => {
    resolve = done;
  });
  const away = consumer('away', ['*'], { handle: () => Promise.reject(new ConsumerAway('away')) });
  dispatcher.add(consumer('slow', ['*'], { handle: () => promise }));
  dispatcher.add(away);
  dispatcher.wake();
  const [appended] = await world.journal.append([happens('a.one')]);
  let isSettled = false;
  const settling = dispatcher.settled(appended?.seq ?? 0).then(() => {
    isSettled = true;
  });
  await settled();
  assert.equal(isSettled, false);
  resolve();
  await settling;
});

test('dead letters of one consumer are bounded, and the oldest go', async (t) => {
  const { store } = eventWorld(t);
  const letter = (n: number) => ({
    ...{ consumer: 'one', eventId: `e${n}`, type: 'a.b', source: 's', atMs: 0, depth: 0, data: 'null' },
    ...{ tries: 5, error: 'no', failedAtMs: 0 },
  });
  for (let n = 1; n <= 5; n += 1) store.bury(letter(n), n, 3);
  store.bury(letter(5), 5, 3);
  assert.deepEqual(
    store.deadLetters('one').map(({ eventId }) => eventId),
    ['e3', 'e4', 'e5'],
  );
});
