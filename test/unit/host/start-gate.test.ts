import assert from 'node:assert/strict';
import { test } from 'node:test';
import { StartGate } from '../../../packages/host/src/start-gate.ts';
import { FakeClock, settled } from '../../support/fake-clock.ts';

const never = new AbortController().signal;

/** Enters one after the other; `inside` holds, in order, who has or had a place. */
function enterAll(gate: StartGate, names: readonly string[]) {
  const inside: string[] = [];
  const leave = new Map<string, () => void>();
  for (const name of names) {
    void gate.enter(never).then((go) => {
      inside.push(name);
      leave.set(name, go);
    });
  }
  return { inside, leave: (name: string) => leave.get(name)?.() };
}

test('no more start at one time than there are places, and the next one is the first who came', async () => {
  const gate = new StartGate({ places: 2, clock: new FakeClock() });
  const { inside, leave } = enterAll(gate, ['a', 'b', 'c', 'd']);
  await settled();
  assert.deepEqual(inside, ['a', 'b']);
  assert.equal(gate.waiting, 2);
  leave('b');
  await settled();
  assert.deepEqual(inside, ['a', 'b', 'c']);
  leave('b');
  await settled();
  assert.deepEqual(inside, ['a', 'b', 'c'], 'a place is given back once');
});

test('a place that was given back is there for a later start', async () => {
  const gate = new StartGate({ places: 1, clock: new FakeClock() });
  (await gate.enter(never))();
  const { inside } = enterAll(gate, ['later']);
  await settled();
  assert.deepEqual(inside, ['later']);
});

test('a start that comes to no end gives its place up after a moment, and no second one when it ends', async () => {
  const clock = new FakeClock();
  const gate = new StartGate({ places: 1, clock, heldMaxMs: 1_000 });
  const { inside, leave } = enterAll(gate, ['silent', 'b', 'c']);
  await clock.advance(999);
  assert.deepEqual(inside, ['silent']);
  await clock.advance(1);
  assert.deepEqual(inside, ['silent', 'b']);
  leave('silent');
  await settled();
  assert.deepEqual(inside, ['silent', 'b']);
});

test('a start that is called off while it waits leaves the line', async () => {
  const gate = new StartGate({ places: 1, clock: new FakeClock() });
  const { leave } = enterAll(gate, ['a']);
  const abort = new AbortController();
  const waits = gate.enter(abort.signal);
  const { inside } = enterAll(gate, ['c']);
  abort.abort(new Error('the plugin is being stopped'));
  await assert.rejects(waits, /being stopped/);
  await settled();
  leave('a');
  await settled();
  assert.deepEqual(inside, ['c']);
  await assert.rejects(gate.enter(abort.signal), /being stopped/);
});

test('no timer is left when every start has ended', async () => {
  const clock = new FakeClock();
  const gate = new StartGate({ places: 1, clock });
  (await gate.enter(never))();
  assert.equal(clock.waiting, 0);
});
