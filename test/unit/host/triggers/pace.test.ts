import assert from 'node:assert/strict';
import { test } from 'node:test';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { PollPace } from '../../../../packages/host/src/triggers/pace.ts';

const { pollPauseMinMs, pollPauseMaxMs, triggerBurst, triggerEventsPerSecond } = hostLimits;

test('a plugin that holds polls is asked again at once', () => {
  const pace = new PollPace();
  assert.equal(pace.pauseMs({ asked: 1, added: 1, tookMs: 5 }), 0);
  assert.equal(pace.pauseMs({ asked: 0, added: 0, tookMs: 20_000 }), 0);
});

test('one that answers at once with nothing new is asked less and less often, until there is something', () => {
  const pace = new PollPace();
  const pauses = Array.from({ length: 8 }, () => pace.pauseMs({ asked: 0, added: 0, tookMs: 1 }));
  assert.deepEqual(pauses.slice(0, 3), [pollPauseMinMs, pollPauseMinMs * 2, pollPauseMinMs * 4]);
  assert.equal(pauses.at(-1), pollPauseMaxMs);
  assert.equal(pace.pauseMs({ asked: 1, added: 1, tookMs: 1 }), 0);
  assert.equal(pace.pauseMs({ asked: 3, added: 0, tookMs: 1 }), pollPauseMinMs);
});

test('one that floods gets a burst and then its rate', () => {
  const pace = new PollPace();
  let [events, elapsedMs] = [0, 0];
  for (let poll = 0; poll < 100; poll += 1) {
    events += 500;
    elapsedMs += 1 + pace.pauseMs({ asked: 500, added: 500, tookMs: 1 });
  }
  const allowed = triggerBurst + (elapsedMs * triggerEventsPerSecond) / 1000;
  assert.ok(events <= allowed + 500, `${events} of ${allowed} in ${elapsedMs} ms`);
  assert.ok(events >= allowed - 1000, `${events} of ${allowed} in ${elapsedMs} ms`);
});
