import assert from 'node:assert/strict';
import { test } from 'node:test';
import { callContext } from '@mmm/protocol';
import { callContextOf } from '../../../../packages/host/src/call/call-context.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

test('The context carries the time in UTC with milliseconds and the time that is left', () => {
  const clock = new FakeClock('2026-03-01T12:00:00.007Z');
  const context = callContextOf({ caller: { kind: 'cli', id: 'user' }, velocity: 64 }, clock, 1234.9);
  assert.deepEqual(callContext.parse(context), {
    caller: { kind: 'cli', id: 'user' },
    velocity: 64,
    timestamp: '2026-03-01T12:00:00.007Z',
    deadline_ms: 1234,
  });
  assert.equal(callContextOf({ caller: { kind: 'cli', id: 'user' } }, clock, -5).deadline_ms, 0);
});
