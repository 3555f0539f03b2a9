import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { PluginError } from '@mmm/plugin-sdk';
import { parseMoment } from '../../../../plugins/date/src/moment.ts';
import { zoneOf } from '../../../../plugins/date/src/zone.ts';

function instant(text: string, zone = 'UTC'): string {
  return new Date(parseMoment(text, zoneOf(zone), 'date').instantMs).toISOString();
}

describe('parseMoment', () => {
  it('reads dates and times, local to the zone unless they carry an offset', () => {
    assert.equal(instant('2026-07-01', 'Europe/Berlin'), '2026-06-30T22:00:00.000Z');
    assert.equal(instant('2026-07-01T12:00', 'Europe/Berlin'), '2026-07-01T10:00:00.000Z');
    assert.equal(instant('2026-07-01t12:00:01.5z', 'Europe/Berlin'), '2026-07-01T12:00:01.500Z');
    assert.equal(instant('2026-07-01 12:00:00.123456-0330'), '2026-07-01T15:30:00.123Z');
  });
  it('refuses what no calendar or clock shows, naming the field', () => {
    for (const text of ['2026-02-29', '2026-13-01', '2026-00-10', '2026-04-31', '0000-01-01']) {
      assert.throws(() => instant(text), /^PluginError: date: ".*" does not exist in the calendar\.$/);
    }
    for (const text of ['2026-01-01T24:00', '2026-01-01T12:60', '2026-01-01T12:00:60']) {
      assert.throws(() => instant(text), /no clock shows/);
    }
    for (const text of ['', 'tomorrow', '2026-1-1', '2026-01-01T', '2026-01-01T12:00+01', '20260101', '2026-01-01Z']) {
      assert.throws(() => instant(text), /is not a date: write/);
    }
    assert.throws(() => instant('2026-01-01T12:00+24:00'), /offset over a day/);
  });
  it('refuses an unknown zone with an example', () => {
    assert.throws(
      () => zoneOf('Mars/Olympus'),
      (error) =>
        error instanceof PluginError && error.kind === 'invalid_params' && /Europe\/Berlin/.test(error.message),
    );
  });
});
