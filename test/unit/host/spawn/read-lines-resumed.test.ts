import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { test } from 'node:test';
import { systemClock } from '@mmm/rpc';
import { readLines } from '../../../../packages/host/src/spawn/read-lines.ts';

test('no line is lost when somebody sets the stream going while the reader pauses it', async () => {
  const stream = new PassThrough();
  const seen: string[] = [];
  let nowMs = 0;
  // Every look at the clock is a moment later, so that each turn is over after one line.
  const clock = { ...systemClock, monotonic: () => (nowMs += 10), immediate: systemClock.immediate };
  readLines(stream, 1000, clock, { line: (line) => void seen.push(line) });
  const ended = new Promise((resolve) => stream.once('end', resolve));
  const lines = Array.from({ length: 50 }, (_, index) => `line ${index}`);
  stream.on('pause', () => process.nextTick(() => stream.resume()));
  for (const part of [lines.slice(0, 20), lines.slice(20)]) stream.write(`${part.join('\n')}\n`);
  stream.end();
  await ended;
  assert.deepEqual(seen, lines);
});
