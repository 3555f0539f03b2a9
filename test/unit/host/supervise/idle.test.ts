import assert from 'node:assert/strict';
import { test } from 'node:test';
import { IdleWatch } from '../../../../packages/host/src/supervise/idle.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

function make(idleMs: number) {
  const clock = new FakeClock();
  const seen = { busy: false, idle: 0 };
  const watch = new IdleWatch({
    clock,
    idleMs,
    isBusy: () => seen.busy,
    onIdle: () => {
      seen.idle += 1;
    },
  });
  return { clock, seen, watch };
}

test('A plugin that is not called for the whole time is idle, once', async () => {
  const { clock, seen } = make(300_000);
  await clock.advance(299_999);
  assert.equal(seen.idle, 0);
  await clock.advance(1);
  assert.equal(seen.idle, 1);
  assert.equal(clock.waiting, 0);
});

test('Each call counts from its end', async () => {
  const { clock, seen, watch } = make(300_000);
  await clock.advance(200_000);
  watch.used();
  await clock.advance(299_999);
  assert.equal(seen.idle, 0);
  await clock.advance(1);
  assert.equal(seen.idle, 1);
});

test('A plugin with a call under way is never idle, however long it takes', async () => {
  const { clock, seen, watch } = make(1_000);
  seen.busy = true;
  await clock.advance(60_000);
  assert.equal(seen.idle, 0);
  seen.busy = false;
  watch.used();
  await clock.advance(1_000);
  assert.equal(seen.idle, 1);
});

test('Without a limit and after its end there is no timer', () => {
  assert.equal(make(Number.POSITIVE_INFINITY).clock.waiting, 0);
  const { clock, watch } = make(1_000);
  watch.end();
  assert.equal(clock.waiting, 0);
});
