import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from '@mmm/rpc';
import { FakeClock } from '../../support/fake-clock.ts';

test('the fake clock runs timers in the order of their time, each at its own moment', async () => {
  const clock = new FakeClock();
  const seen: string[] = [];
  clock.after(20, () => seen.push(`b at ${clock.monotonic()}`));
  clock.after(10, () => seen.push(`a at ${clock.monotonic()}`));
  const cancelled = clock.after(15, () => seen.push('never'));
  cancelled.cancel();
  await clock.advance(15);
  assert.deepEqual(seen, ['a at 10']);
  await clock.advance(10);
  assert.deepEqual(seen, ['a at 10', 'b at 20']);
  assert.equal(clock.monotonic(), 25);
  assert.equal(clock.waiting, 0);
});

test('a loop of sleeps takes all its turns in one advance of the fake clock', async () => {
  const clock = new FakeClock();
  let turns = 0;
  const loop = (async () => {
    while (turns < 5) {
      await clock.sleep(100);
      turns++;
    }
  })();
  await clock.advance(500);
  await loop;
  assert.equal(turns, 5);
});

for (const [name, clock] of [
  ['fake', new FakeClock()],
  ['system', systemClock],
] as const) {
  test(`a sleep of the ${name} clock rejects with the signal's reason at once`, async () => {
    const abort = new AbortController();
    const sleeping = clock.sleep(1_000_000, abort.signal);
    const reason = new Error('enough');
    abort.abort(reason);
    await assert.rejects(sleeping, reason);
    await assert.rejects(clock.sleep(1, abort.signal), reason);
  });
}

test('the system clock fires, can be called off, and does not fire early for very long times', async () => {
  const cancelled = systemClock.after(0, () => assert.fail('was called off'));
  cancelled.cancel();
  const long = systemClock.after(2 ** 40, () => assert.fail('fired early')).unref();
  await systemClock.sleep(1);
  long.cancel();
  await new Promise<void>((resolve) => systemClock.immediate(resolve));
  assert.ok(Math.abs(systemClock.now() - Date.now()) < 1000);
  assert.ok(systemClock.monotonic() > 0);
});

test('a timer of the system clock is never early, by no part of a millisecond', async () => {
  for (let part = 0; part < 1; part += 0.02) {
    const dueMs = systemClock.monotonic() + 1 + part;
    await systemClock.sleep(1 + part);
    assert.ok(systemClock.monotonic() >= dueMs, `${dueMs - systemClock.monotonic()} ms early`);
  }
});
