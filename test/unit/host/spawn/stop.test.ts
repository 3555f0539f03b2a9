import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Child, ChildExit } from '../../../../packages/host/src/spawn/child.ts';
import { stopChild } from '../../../../packages/host/src/spawn/stop.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

/** A child that ends at the rung it is told to, and notes what was done to it and when. */
function fakeChild(endsAt: string, clock: FakeClock): { child: Child; seen: string[] } {
  const seen: string[] = [];
  let end: (exit: ChildExit) => void = () => undefined;
  const exited = new Promise<ChildExit>((resolve) => {
    end = resolve;
  });
  const note = (rung: string, exit: ChildExit): void => {
    seen.push(`${rung} at ${clock.monotonic()}`);
    if (rung === endsAt) end(exit);
  };
  const child = {
    exited,
    closeInput: () => note('stdin end', { code: 0, signal: null }),
    kill: (signal: NodeJS.Signals) => note(signal, { code: null, signal }),
  } as unknown as Child;
  return { child, seen };
}

for (const [endsAt, seen, exit] of [
  ['stdin end', ['stdin end at 3000'], { code: 0, signal: null }],
  ['SIGTERM', ['stdin end at 3000', 'SIGTERM at 4000'], { code: null, signal: 'SIGTERM' }],
  ['SIGKILL', ['stdin end at 3000', 'SIGTERM at 4000', 'SIGKILL at 6000'], { code: null, signal: 'SIGKILL' }],
  ['nothing', ['stdin end at 3000', 'SIGTERM at 4000', 'SIGKILL at 6000'], { code: null, signal: 'SIGKILL' }],
] as const) {
  test(`a silent plugin that ends at ${endsAt} is taken no further`, async () => {
    const clock = new FakeClock();
    const fake = fakeChild(endsAt, clock);
    const stopped = stopChild(fake.child, () => new Promise(() => undefined), clock);
    await clock.advance(20_000);
    assert.deepEqual(await stopped, exit);
    assert.deepEqual(fake.seen, seen);
    assert.equal(clock.waiting, 0);
  });
}

test('an answer to shutdown, an error included, moves on at once', async () => {
  const clock = new FakeClock();
  const fake = fakeChild('stdin end', clock);
  assert.deepEqual(await stopChild(fake.child, () => Promise.reject(new Error('no')), clock), {
    code: 0,
    signal: null,
  });
  assert.deepEqual(fake.seen, ['stdin end at 0']);
});
