import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { ConsumerAway, ConsumerLoop, type EventConsumer } from '../../../../packages/host/src/events/consumer.ts';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { type EventWorld, eventWorld, happens } from '../../../support/event-world.ts';
import { settled } from '../../../support/fake-clock.ts';

interface Heard {
  readonly loop: ConsumerLoop;
  readonly types: string[];
}

function loopOf(t: TestContext, { journal, clock }: EventWorld, handle?: EventConsumer['handle']): Heard {
  const types: string[] = [];
  const consumer: EventConsumer = {
    ...{ name: 'one', isDurable: false },
    wants: () => true,
    handle: async (event, signal) => {
      await handle?.(event, signal);
      types.push(event.type);
    },
  };
  const loop = new ConsumerLoop(consumer, 0, { journal, clock, moved: () => undefined, bury: () => undefined });
  t.after(() => loop.end());
  return { loop, types };
}

test('what is appended at whichever step of the end of a delivery is delivered without a further push', async (t) => {
  // More steps than the end of a delivery takes: the last rounds begin after it.
  for (let steps = 0; steps <= 30; steps += 1) {
    const world = eventWorld(t);
    const { loop, types } = loopOf(t, world);
    world.journal.onAppended((heads) => loop.appended(heads));
    world.journal.note(happens('a.first'));
    for (let step = 0; step < steps; step += 1) await Promise.resolve();
    world.journal.note(happens('a.second'));
    await settled();
    assert.deepEqual(types, ['a.first', 'a.second'], `${steps} steps`);
  }
});

test('what changes during a try that fails shortens the pause after it', async (t) => {
  const world = eventWorld(t);
  let tries = 0;
  let during: () => void = () => undefined;
  const { loop, types } = loopOf(t, world, async () => {
    tries += 1;
    during();
    if (tries <= 6) throw new ConsumerAway();
  });
  world.journal.note(happens('a.first'));
  loop.look();
  // The pauses double: 1, 2, 4, 8 times the first one.
  for (let pauses = 1; pauses <= 8; pauses *= 2) await world.clock.advance(hostLimits.eventPauseMs * pauses);
  assert.equal(tries, 5);
  during = () => loop.hurry();
  await world.clock.advance(hostLimits.eventPauseMs * 16);
  assert.equal(tries, 6);
  await world.clock.advance(hostLimits.eventPauseMs);
  assert.deepEqual([tries, ...types], [7, 'a.first']);
});
