import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { CallRate } from '../../../../packages/host/src/call/rate.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

function retryAfterMs(rate: CallRate): number | undefined {
  try {
    rate.take();
    return undefined;
  } catch (error) {
    if (!MmmError.is(error, 'RATE_LIMITED')) throw error;
    return error.data.retryAfterMs;
  }
}

test('a burst of one second passes, the next call is told when to come again, and is taken then', async () => {
  const clock = new FakeClock();
  const rate = new CallRate('greeter', 4, clock);
  for (let call = 0; call < 4; call++) assert.equal(retryAfterMs(rate), undefined);
  assert.equal(retryAfterMs(rate), 250);
  await clock.advance(240);
  assert.notEqual(retryAfterMs(rate), undefined);
  await clock.advance(11);
  assert.equal(retryAfterMs(rate), undefined);
});

test('less than one call a second is possible', async () => {
  const clock = new FakeClock();
  const rate = new CallRate('greeter', 0.1, clock);
  assert.equal(retryAfterMs(rate), undefined);
  assert.equal(retryAfterMs(rate), 10_000);
  await clock.advance(10_000);
  assert.equal(retryAfterMs(rate), undefined);
});

test('time that nobody uses does not add up to more than one second of calls', async () => {
  const clock = new FakeClock();
  const rate = new CallRate('greeter', 2, clock);
  await clock.advance(60_000);
  assert.deepEqual([retryAfterMs(rate), retryAfterMs(rate)], [undefined, undefined]);
  assert.equal(retryAfterMs(rate), 500);
});
