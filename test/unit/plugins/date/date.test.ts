import assert from 'node:assert/strict';
import { it } from 'node:test';
import { testPlugin } from '@mmm/plugin-sdk/testing';
import { datePlugin } from '../../../../plugins/date/src/date.ts';

const plugin = datePlugin(() => Date.parse('2026-07-01T22:30:00.987Z'));

it('date tells the time of its clock in any zone and format', async () => {
  const host = await testPlugin(plugin);
  const now = (input: object) => host.execute('now', input);
  assert.equal(await now({}), '2026-07-01T22:30:00Z');
  assert.equal(await now({ timezone: 'Europe/Berlin' }), '2026-07-02T00:30:00+02:00');
  assert.equal(await now({ timezone: 'Europe/Berlin', format: 'date' }), '2026-07-02');
  assert.equal(await now({ timezone: 'Asia/Kolkata', format: 'time' }), '04:00:00');
  assert.equal(await now({ timezone: 'America/New_York', format: 'weekday' }), 'Wednesday');
  assert.equal(await now({ format: 'unix' }), '1782945000');
  await assert.rejects(now({ timezone: 'Nowhere' }), /There is no time zone "Nowhere"/);
  await host.shutdown();
});

it('date adds and subtracts over the wire', async () => {
  const host = await testPlugin(plugin);
  assert.equal(await host.execute('add', { date: '2026-01-31', months: 1 }), '2026-02-28');
  const answer = (await host.execute('difference', { from: '2026-01-01', to: '2026-01-03' })) as { total_days: number };
  assert.equal(answer.total_days, 2);
  await host.shutdown();
});
