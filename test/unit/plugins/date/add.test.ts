import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type AddInput, add } from '../../../../plugins/date/src/add.ts';

function check(input: AddInput, expected: string): void {
  assert.equal(add(input), expected);
}
const berlin = 'Europe/Berlin';

describe('add', () => {
  it('keeps a date a date', () => {
    check({ date: '2026-01-31', days: 1 }, '2026-02-01');
    check({ date: '2026-01-31', weeks: 1, days: -8 }, '2026-01-30');
    check({ date: '2026-12-31', days: 1 }, '2027-01-01');
    check({ date: '2026-05-05' }, '2026-05-05');
  });
  it('takes the last day of a month that has not that many', () => {
    check({ date: '2026-01-31', months: 1 }, '2026-02-28');
    check({ date: '2028-01-31', months: 1 }, '2028-02-29');
    check({ date: '2028-02-29', years: 1 }, '2029-02-28');
    check({ date: '2026-03-31', months: -13 }, '2025-02-28');
  });
  it('moves the calendar before the days', () => check({ date: '2026-01-31', months: 1, days: 1 }, '2026-03-01'));
  it('adds elapsed time to a point in time', () => {
    check({ date: '2026-01-01T23:30:00Z', hours: 1 }, '2026-01-02T00:30:00Z');
    check({ date: '2026-01-01T00:00:00.250', seconds: -1 }, '2025-12-31T23:59:59.250Z');
  });
  it('keeps the clock over a change of the clock when it adds days', () => {
    check({ date: '2026-03-28T12:00', days: 1, timezone: berlin }, '2026-03-29T12:00:00+02:00');
  });
  it('counts elapsed hours over a change of the clock', () => {
    check({ date: '2026-03-28T12:00', hours: 24, timezone: berlin }, '2026-03-29T13:00:00+02:00');
  });
  it('moves a time that the clock skips forward', () => {
    check({ date: '2026-03-28T02:30', days: 1, timezone: berlin }, '2026-03-29T03:30:00+02:00');
  });
  it('takes the first of a time that occurs twice', () => {
    check({ date: '2026-10-24T02:30', days: 1, timezone: berlin }, '2026-10-25T02:30:00+02:00');
    check({ date: '2026-10-25T02:30', hours: 1, timezone: berlin }, '2026-10-25T02:30:00+01:00');
  });
  it('keeps the second of two equal times when nothing moves the calendar', () => {
    check({ date: '2026-10-25T02:30+01:00', seconds: 0, timezone: berlin }, '2026-10-25T02:30:00+01:00');
  });
  it('works where midnight is skipped', () => {
    check({ date: '2018-11-03', days: 1, timezone: 'America/Sao_Paulo' }, '2018-11-04');
    check({ date: '2018-11-03T00:00', days: 1, timezone: 'America/Sao_Paulo' }, '2018-11-04T01:00:00-02:00');
  });
  it('writes offsets that are no whole hours', () => {
    check({ date: '2026-01-01T00:00Z', timezone: 'Asia/Kathmandu' }, '2026-01-01T05:45:00+05:45');
    check({ date: '2026-01-01T00:00Z', timezone: 'America/St_Johns' }, '2025-12-31T20:30:00-03:30');
  });
  it('reads years below 100 as they are written', () => check({ date: '0099-12-31', days: 1 }, '0100-01-01'));
  it('refuses a result outside the calendar', () => {
    for (const move of [{ days: 1 }, { years: 10_000_000_000 }, { days: 10_000_000_000 }, { years: -9999 }]) {
      assert.throws(() => add({ date: '9999-12-31', ...move, timezone: berlin }), /outside the years 1 to 9999/);
    }
    assert.throws(() => add({ date: '9999-12-31T23:59', hours: 9_999_999_999, timezone: berlin }), /outside the years/);
  });
  it('refuses hours on a date without a time, and says how to write one', () => {
    assert.throws(() => add({ date: '2026-01-31', hours: 1 }), /such as 2026-01-31T00:00/);
  });
});
