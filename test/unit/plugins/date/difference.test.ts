import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { difference } from '../../../../plugins/date/src/difference.ts';

const zero = { years: 0, months: 0, days: 0, hours: 0, minutes: 0, seconds: 0 };
const berlin = 'Europe/Berlin';

describe('difference', () => {
  it('counts seconds, midnights and parts', () => {
    assert.deepEqual(difference({ from: '2026-01-31', to: '2026-03-01' }), {
      total_seconds: 29 * 86_400,
      total_days: 29,
      parts: { ...zero, months: 1, days: 1 },
    });
  });
  it('is negative when the end comes first', () => {
    assert.deepEqual(difference({ from: '2026-03-01T12:00', to: '2025-02-28T11:59:58.5' }), {
      total_seconds: -(366 * 86_400 + 1.5),
      total_days: -366,
      parts: { ...zero, years: -1, days: -1, seconds: -1.5 },
    });
  });
  it('has no negative zeros', () => {
    const { parts, total_seconds: seconds } = difference({ from: '2026-01-02', to: '2026-01-01' });
    assert.deepEqual(parts, { ...zero, days: -1 });
    assert.ok([seconds, ...Object.values(parts)].every((value) => !Object.is(value, -0)));
  });
  it('counts a short day as a day', () => {
    assert.deepEqual(difference({ from: '2026-03-29', to: '2026-03-30', timezone: berlin }), {
      total_seconds: 23 * 3600,
      total_days: 1,
      parts: { ...zero, days: 1 },
    });
  });
  it('counts the hour that occurs twice', () => {
    const { parts } = difference({ from: '2026-10-25T02:30+02:00', to: '2026-10-25T02:30+01:00', timezone: berlin });
    assert.deepEqual(parts, { ...zero, hours: 1 });
  });
  it('counts midnights in the zone, not in UTC', () => {
    const times = { from: '2026-01-01T22:30Z', to: '2026-01-01T23:30Z' };
    assert.equal(difference(times).total_days, 0);
    assert.equal(difference({ ...times, timezone: berlin }).total_days, 1);
  });
  it('spans the whole calendar', () => {
    const { parts } = difference({ from: '0001-01-01', to: '9999-12-31', timezone: berlin });
    assert.deepEqual(parts, { ...zero, years: 9998, months: 11, days: 30 });
  });
});
