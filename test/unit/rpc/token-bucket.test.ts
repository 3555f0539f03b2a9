import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { log } from '@mmm/protocol';
import { connect, onNotification, TokenBucket } from '@mmm/rpc';
import { FakeClock, settled } from '../../support/fake-clock.ts';

test('what a peer writes over its rate waits in the pipe, is counted once, and comes in time', async () => {
  const clock = new FakeClock();
  const input = new PassThrough();
  const seen: string[] = [];
  const connection = connect(
    { input, output: new PassThrough() },
    {
      framing: 'ndjson',
      clock,
      limits: { inboundBytesPerSecond: 1000 },
      notifications: { log: onNotification(log, ({ message }) => void seen.push(message.slice(0, 1))) },
    },
  );
  const say = async (letter: string) => {
    const params = { level: 'info', message: letter.repeat(900), fields: {} };
    input.write(`${JSON.stringify({ jsonrpc: '2.0', method: 'log', params })}\n`);
    await settled();
  };
  await say('a');
  await say('b');
  assert.deepEqual(seen, ['a']);
  assert.equal(connection.paused, true);
  await say('c');
  await clock.advance(500);
  assert.deepEqual(seen, ['a']);
  await clock.advance(3_000);
  assert.deepEqual(seen, ['a', 'b', 'c']);
  assert.equal(connection.paused, false);
  assert.equal(connection.counters.faults.too_fast, 1);
  connection.close();
});

test('a bucket holds its burst, refills by the clock, and what was spent beyond it is waited for', () => {
  const bucket = new TokenBucket(10, 1_000, 5);
  assert.equal(bucket.leftAt(60_000), 5);
  bucket.spend(5);
  assert.equal(bucket.waitMs(1, 60_000), 100);
  assert.equal(bucket.leftAt(60_050), 0.5);
  bucket.spend(2.5);
  assert.equal(bucket.waitMs(0, 60_050), 200);
  assert.equal(bucket.waitMs(0, 60_250), 0);
  assert.equal(bucket.waitMs(1, 60_250), 100);
});
