import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmmError } from '@mmm/protocol';
import { hostLimits } from '../../../packages/host/src/limits.ts';
import { RateLimits } from '../../../packages/host/src/rate-limits.ts';
import { FakeClock } from '../../support/fake-clock.ts';

const refusal = new MmmError('RATE_LIMITED', 'It is more.', { plugin: 'p', callsPerSecond: 5, retryAfterMs: 200 });

function make() {
  const clock = new FakeClock();
  const audited: unknown[] = [];
  const lines: string[] = [];
  let counted = 0;
  const limits = new RateLimits({
    clock,
    audit: { append: ({ action, detail }) => void audited.push([action, detail.calls]) },
    metrics: {
      count: (_id, counter) => {
        if (counter === 'rateLimited') counted += 1;
      },
    },
  });
  const refuse = (times: number): void => {
    for (let time = 0; time < times; time += 1) limits.refused('p', refusal, (line) => void lines.push(line));
  };
  return { clock, audited, lines, refuse, counted: () => counted };
}

test('Each refused call is counted, and those of one second take two lines of the log', async () => {
  const { clock, lines, refuse, counted } = make();
  refuse(1000);
  assert.equal(counted(), 1000);
  assert.deepEqual(lines, ['It is more.']);
  await clock.advance(1000);
  assert.equal(lines.length, 2);
  assert.match(lines[1] ?? '', /^999 more calls were refused in that second: it takes 5 calls a second/);
  await clock.advance(60_000);
  assert.equal(lines.length, 2, 'nothing is said of nothing');
});

test('The audit log has one entry a minute, with all that were refused since the one before', async () => {
  const { clock, audited, refuse } = make();
  refuse(3);
  await clock.advance(hostLimits.rateLimitAuditMs - 1);
  refuse(2);
  assert.deepEqual(audited, [['limit', 1]]);
  await clock.advance(1);
  refuse(1);
  assert.deepEqual(audited, [
    ['limit', 1],
    ['limit', 5],
  ]);
});
