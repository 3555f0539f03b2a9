import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testPlugin } from '@mmm/plugin-sdk/testing';
import { cronSchedule, intervalSchedule } from '../../../plugins/timer/src/schedule.ts';
import { type Missed, type Tick, Ticker, type Times } from '../../../plugins/timer/src/ticker.ts';
import { timerPlugin } from '../../../plugins/timer/src/timer.ts';

/** Time that a test moves: the pause that is asked for passes at once. */
class Pauses implements Times {
  nowMs: number;
  #run: (() => void) | undefined;

  constructor(start: string) {
    this.nowMs = Date.parse(start);
  }

  now(): number {
    return this.nowMs;
  }

  after(ms: number, run: () => void): () => void {
    this.waitMs = ms;
    this.#run = run;
    return () => {
      this.#run = undefined;
    };
  }

  waitMs = 0;

  /** Lets the pause pass, and whatever comes of it. */
  async pass(ms = this.waitMs): Promise<void> {
    this.nowMs += ms;
    const run = this.#run;
    this.#run = undefined;
    run?.();
    for (let turn = 0; turn < 20; turn += 1) await Promise.resolve();
  }
}

async function ticker(start: string, missed: Missed, last: string | undefined, expression = '0 * * * *') {
  const times = new Pauses(start);
  const ticks: Tick[] = [];
  const lastMs = last === undefined ? undefined : Date.parse(last);
  const schedule = cronSchedule(expression, 'UTC');
  const failed = (error: unknown): never => assert.fail(String(error));
  const tick = async (one: Tick): Promise<void> => void ticks.push(one);
  const running = new Ticker({ schedule, missed, lastMs, times, tick, failed });
  for (let turn = 0; turn < 5000; turn += 1) await Promise.resolve();
  const told = () => ticks.map(({ scheduledMs, missed: count }) => [new Date(scheduledMs).toISOString(), count]);
  return { times, told, running };
}

test('it ticks at each moment, once, however often it wakes before', async () => {
  const { times, told } = await ticker('2026-03-01T10:58:50Z', 'skip', undefined);
  await times.pass();
  assert.ok(times.waitMs <= 30_000);
  while (times.nowMs < Date.parse('2026-03-01T13:00:00Z')) await times.pass();
  assert.deepEqual(told(), [
    ['2026-03-01T11:00:00.000Z', 0],
    ['2026-03-01T12:00:00.000Z', 0],
    ['2026-03-01T13:00:00.000Z', 0],
  ]);
});

test('missed ticks are skipped, told as one, or told each, as it is configured', async () => {
  const last = '2026-03-01T08:00:00Z';
  const start = '2026-03-01T11:30:00Z';
  assert.deepEqual((await ticker(start, 'skip', last)).told(), []);
  assert.deepEqual((await ticker(start, 'once', last)).told(), [['2026-03-01T11:00:00.000Z', 2]]);
  assert.deepEqual((await ticker(start, 'all', last)).told(), [
    ['2026-03-01T09:00:00.000Z', 0],
    ['2026-03-01T10:00:00.000Z', 0],
    ['2026-03-01T11:00:00.000Z', 0],
  ]);
  assert.deepEqual((await ticker(start, 'all', undefined)).told(), []);
});

test('a tick in time stands for those that were missed before it', async () => {
  const { told } = await ticker('2026-03-01T11:00:01Z', 'once', '2026-03-01T08:00:00Z');
  assert.deepEqual(told(), [['2026-03-01T11:00:00.000Z', 2]]);
});

test('of very many missed ticks only the newest is told', async () => {
  const { told } = await ticker('2026-03-01T11:00:30Z', 'all', '2025-03-01T00:00:00Z', '* * * * *');
  assert.deepEqual(told(), [['2026-03-01T11:00:00.000Z', 0]]);
});

test('a clock that is set back repeats no tick, and one that was ahead is forgotten', async () => {
  const { times, told } = await ticker('2026-03-01T10:59:50Z', 'all', undefined);
  await times.pass();
  await times.pass(-3_600_000);
  await times.pass(3_600_000 + 20_000);
  assert.deepEqual(told(), [['2026-03-01T11:00:00.000Z', 0]]);
  assert.deepEqual((await ticker('2026-03-01T10:00:00Z', 'all', '2027-01-01T00:00:00Z')).told(), []);
});

test('it stops', async () => {
  const { times, told, running } = await ticker('2026-03-01T10:59:50Z', 'skip', undefined);
  running.stop();
  await times.pass(20_000);
  assert.deepEqual(told(), []);
});

test('time zones and daylight saving are those of the zone', () => {
  const berlin = cronSchedule('30 2 * * *', 'Europe/Berlin');
  const next = (after: string) => new Date(berlin.next(Date.parse(after)) ?? 0).toISOString();
  assert.equal(next('2026-01-01T00:00:00Z'), '2026-01-01T01:30:00.000Z');
  // 02:30 does not exist on that day; it comes right after the gap.
  assert.equal(next('2026-03-28T12:00:00Z'), '2026-03-29T01:00:00.000Z');
  assert.equal(next('2026-10-24T12:00:00Z'), '2026-10-25T00:30:00.000Z');
  assert.equal(next('2026-10-25T00:30:00Z'), '2026-10-26T01:30:00.000Z');
});

test('intervals are multiples since 1970, also those below a second', () => {
  const schedule = intervalSchedule(0.1);
  assert.equal(schedule.next(1000), 1100);
  assert.equal(schedule.next(1099), 1100);
  assert.equal(schedule.last(1199), 1100);
});

for (const [expression, zone] of [
  ['61 * * * *', 'UTC'],
  ['* * * *', 'UTC'],
  ['0 0 0 1 1 * 2030', 'UTC'],
  ['0 3 * * *', 'Europe/Berln'],
] as const) {
  test(`"${expression}" in ${zone} is refused with a sentence`, () => {
    assert.throws(
      () => cronSchedule(expression, zone),
      new RegExp(`^PluginError: "${expression.replaceAll('*', '\\*')}" in ${zone} is no schedule: `),
    );
  });
}

test('the tool shows the next moments', async (t) => {
  const host = await testPlugin(timerPlugin(new Pauses('2026-03-01T10:58:50Z')));
  t.after(() => host.shutdown());
  const input = { expression: '0 7 * * MON', time_zone: 'Europe/Berlin', count: 2 };
  assert.deepEqual(await host.execute('next', input), ['2026-03-02T06:00:00.000Z', '2026-03-09T06:00:00.000Z']);
});
