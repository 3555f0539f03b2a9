import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RpcError } from '@mmm/protocol';
import { Outgoing } from '../../../../packages/host/src/host-api/outgoing.ts';
import { hostLimits } from '../../../../packages/host/src/limits.ts';
import { FakeClock } from '../../../support/fake-clock.ts';

const busy = (error: unknown): boolean => error instanceof RpcError && error.is('Busy');
const done = async (): Promise<string> => 'done';

test('a plugin asks others so many times a second, each receiver counted, and others not for it', async () => {
  const clock = new FakeClock();
  const outgoing = new Outgoing(clock);
  const { peerRequestsPerSecond: most } = hostLimits;
  assert.equal(await outgoing.within('a', 1, most, done), 'done');
  await assert.rejects(outgoing.within('a', 1, 1, done), busy);
  assert.equal(await outgoing.within('b', 1, 1, done), 'done');
  await clock.advance(10);
  assert.equal(await outgoing.within('a', 1, most / 100, done), 'done');
  await assert.rejects(outgoing.within('a', 1, 1, done), busy);
});

test('what is on its way is bounded in bytes, but for one message, and free again however it ends', async () => {
  const outgoing = new Outgoing(new FakeClock());
  const large = 'x'.repeat(hostLimits.peerBytes + 1);
  let end: (error: Error) => void = () => undefined;
  const open = outgoing.within('a', large, 1, () => new Promise((_resolve, reject) => (end = reject)));
  const failed = assert.rejects(open, /gone/);
  await assert.rejects(outgoing.within('a', 'small', 1, done), busy);
  end(new Error('gone'));
  await failed;
  assert.equal(await outgoing.within('a', 'small', 1, done), 'done');
});
