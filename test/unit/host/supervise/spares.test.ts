import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Session } from '../../../../packages/host/src/handshake/session.ts';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { type Spare, Spares } from '../../../../packages/host/src/supervise/spares.ts';
import { FakeClock, settled } from '../../../support/fake-clock.ts';
import { FakeSession } from '../../../support/fake-session.ts';

const { standbyAfterMs, standbyRetryMaxMs } = hostLimits;

class FakeSpare implements Spare {
  readonly session = new FakeSession();
  readonly drops: string[] = [];
  readonly ended: Promise<void>;
  /** False: a launch would not lead to the same any more. */
  isFit = true;
  end: () => void = () => undefined;

  constructor() {
    this.ended = new Promise((resolve) => {
      this.end = resolve;
    });
  }

  take(): Promise<Session | undefined> {
    return Promise.resolve(this.isFit ? this.session : undefined);
  }

  drop(reason: string): Promise<void> {
    this.drops.push(reason);
    this.end();
    return Promise.resolve();
  }
}

function make(prepare?: (signal: AbortSignal) => Promise<Spare>) {
  const clock = new FakeClock();
  const made: FakeSpare[] = [];
  const notes: string[] = [];
  const usual = (): Promise<Spare> => {
    const spare = new FakeSpare();
    made.push(spare);
    return Promise.resolve(spare);
  };
  const spares = new Spares({
    clock,
    note: (level, message) => level === 'warn' && notes.push(message),
    prepare: prepare ?? usual,
  });
  const take = (): Promise<Session | undefined> => spares.take(new AbortController().signal);
  return { clock, spares, made, notes, take };
}

test('A spare is made a while after it is wanted, once, and taken once', async () => {
  const { clock, spares, made, take } = make();
  assert.equal(await take(), undefined);
  spares.want(0);
  spares.want(0);
  await clock.advance(standbyAfterMs - 1);
  assert.equal(made.length, 0);
  await clock.advance(1);
  spares.want(0);
  await clock.advance(60_000);
  assert.equal(made.length, 1);
  assert.equal(await take(), made[0]?.session);
  assert.equal(await take(), undefined);
});

test('After each crash the next spare is made later, so that a crash loop does not crash twice as often', async () => {
  const { clock, spares, made } = make();
  spares.want(3);
  await clock.advance(standbyAfterMs * 8 - 1);
  assert.equal(made.length, 0);
  await clock.advance(1);
  assert.equal(made.length, 1);
});

test('A pause keeps what is ready and makes nothing new', async () => {
  const { clock, spares, made } = make();
  spares.want(0);
  spares.pause();
  await clock.advance(standbyRetryMaxMs);
  assert.equal(made.length, 0);
  spares.want(0);
  await clock.advance(standbyAfterMs);
  spares.pause();
  assert.ok(spares.isReady);
});

test('A spare that ends unused is replaced, later each time', async () => {
  const { clock, spares, made, notes } = make();
  spares.want(0);
  let waitMs = standbyAfterMs;
  for (let time = 1; time <= 4; time += 1) {
    await clock.advance(waitMs - 1);
    assert.equal(made.length, time - 1);
    await clock.advance(1);
    assert.equal(made.length, time);
    made.at(-1)?.end();
    await settled();
    waitMs *= 2;
  }
  assert.deepEqual(notes, Array(4).fill('the spare process ended before it was used'));
});

test('One that cannot be started is tried again, later each time, and never in the way of a launch', async () => {
  let tries = 0;
  const { clock, spares, take, notes } = make(() => {
    tries += 1;
    return Promise.reject(new Error('no room'));
  });
  spares.want(0);
  await clock.advance(standbyAfterMs * (1 + 2 + 4));
  assert.equal(tries, 3);
  assert.equal(notes[0], 'no spare process could be started: no room');
  assert.equal(await take(), undefined);
});

test('A spare that is no longer fit is not taken', async () => {
  const { clock, spares, made, take } = make();
  spares.want(0);
  await clock.advance(standbyAfterMs);
  (made[0] as FakeSpare).isFit = false;
  assert.equal(await take(), undefined);
  assert.equal(await take(), undefined);
});

test('One that is on its way is waited for instead of starting two; an abort calls it off', async () => {
  let resolve: (spare: Spare) => void = () => undefined;
  let aborted: AbortSignal | undefined;
  const { clock, spares } = make((signal) => {
    aborted = signal;
    return new Promise((made, failed) => {
      resolve = made;
      signal.addEventListener('abort', () => failed(signal.reason));
    });
  });
  spares.want(0);
  await clock.advance(standbyAfterMs);
  const first = spares.take(new AbortController().signal);
  const spare = new FakeSpare();
  resolve(spare);
  assert.equal(await first, spare.session);

  spares.want(0);
  await clock.advance(standbyAfterMs);
  const abort = new AbortController();
  const second = spares.take(abort.signal);
  abort.abort(new Error('enough'));
  await assert.rejects(second, /enough/);
  assert.ok(aborted?.aborted);
});

test('A drop ends what is ready and what is on its way, and a closed one makes nothing more', async () => {
  let late: (spare: Spare) => void = () => undefined;
  const waiting = make(
    () =>
      new Promise((resolve) => {
        late = resolve;
      }),
  );
  waiting.spares.want(0);
  await waiting.clock.advance(standbyAfterMs);
  const dropped = waiting.spares.drop('revoked');
  const spare = new FakeSpare();
  late(spare);
  await dropped;
  assert.equal(spare.drops.length, 1, 'it came after all, and must not be left');
  assert.ok(!waiting.spares.isReady);

  const { clock, spares, made } = make();
  spares.want(0);
  await clock.advance(standbyAfterMs);
  await spares.close('closing');
  assert.deepEqual(made[0]?.drops, ['closing']);
  spares.want(0);
  assert.equal(clock.waiting, 0);
});
