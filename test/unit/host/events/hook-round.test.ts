import assert from 'node:assert/strict';
import test from 'node:test';
import { EventCauses } from '../../../../packages/host/src/events/causes.ts';
import { EmitRate } from '../../../../packages/host/src/events/emit-rate.ts';
import { askHooks, type EventAnswer, type HookPlugin } from '../../../../packages/host/src/events/hook-round.ts';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const silent: EventAnswer = { actions: [], veto: undefined };
const wants = (capability: string): EventAnswer => {
  return { actions: [{ plugin: 'p', capability, input: null }], veto: undefined };
};

function hook(id: string, answer: () => EventAnswer | Promise<EventAnswer>, isImportant = false): HookPlugin {
  return { id, isImportant, ask: async () => await answer() };
}

const fails = (): never => {
  throw new Error('it crashed');
};

test('actions come in the order of the hooks, and a veto ends the round and drops them', async () => {
  const clock = new FakeClock();
  const hooks = [hook('a', () => wants('one')), hook('b', () => silent), hook('c', () => wants('two'))];
  const { wanted, veto } = await askHooks(hooks, clock, undefined);
  assert.deepEqual(
    wanted.map(({ hook: by, action }) => `${by} ${action.capability}`),
    ['a one', 'c two'],
  );
  assert.equal(veto, undefined);
  let asked = false;
  const vetoed = await askHooks(
    [
      ...hooks,
      hook('d', () => ({ actions: [], veto: 'no' })),
      hook('e', () => {
        asked = true;
        return silent;
      }),
    ],
    clock,
    undefined,
  );
  assert.deepEqual([vetoed.wanted, vetoed.veto, asked], [[], { plugin: 'd', reason: 'no' }, false]);
});

test('a hook that fails is passed over, and an important one counts as a veto', async () => {
  const clock = new FakeClock();
  const open = await askHooks([hook('a', fails), hook('b', () => wants('one'))], clock, undefined);
  assert.equal(open.wanted.length, 1);
  assert.deepEqual(open.failed, [{ plugin: 'a', counted: 'no_answer', error: 'it crashed' }]);
  const closed = await askHooks([hook('a', fails, true), hook('b', () => wants('one'))], clock, undefined);
  assert.deepEqual(closed.wanted, []);
  assert.match(closed.veto?.reason ?? '', /must agree, failed: it crashed/);
  assert.equal(closed.failed[0]?.counted, 'veto');
});

test('who comes after the time for all is up has failed', async () => {
  const clock = new FakeClock();
  const slow = hook('a', async () => {
    await clock.advance(hostLimits.hooksTimeoutMs);
    return silent;
  });
  const { veto, failed } = await askHooks(
    [slow, hook('b', () => silent), hook('c', () => silent, true)],
    clock,
    undefined,
  );
  assert.deepEqual(
    failed.map(({ plugin, counted }) => [plugin, counted]),
    [
      ['b', 'no_answer'],
      ['c', 'veto'],
    ],
  );
  assert.equal(veto?.plugin, 'c');
});

test('a caller that gives up ends the round', async () => {
  const controller = new AbortController();
  const first = hook('a', () => {
    controller.abort(new Error('enough'));
    return silent;
  });
  await assert.rejects(askHooks([first, hook('b', () => silent)], new FakeClock(), controller.signal), /enough/);
});

test('what a plugin emits comes from the deepest event that it handles', async () => {
  const causes = new EventCauses();
  assert.equal(causes.depthOf('p'), 0);
  await causes.during('p', 2, async () => {
    assert.equal(causes.depthOf('p'), 3);
    await causes.during('p', 0, async () => assert.equal(causes.depthOf('p'), 3));
    assert.equal(causes.depthOf('other'), 0);
  });
  await assert.rejects(causes.during('p', 1, () => Promise.reject(new Error('x'))));
  assert.equal(causes.depthOf('p'), 0);
});

test('a second’s worth of events passes at once, and the rest as time goes on', async () => {
  const clock = new FakeClock();
  const rate = new EmitRate(10, clock);
  const taken = (): number => Array.from({ length: 20 }, () => rate.take()).filter(Boolean).length;
  assert.equal(taken(), 10);
  assert.equal(taken(), 0);
  await clock.advance(500);
  assert.equal(taken(), 5);
  await clock.advance(60_000);
  assert.equal(taken(), 10);
});
