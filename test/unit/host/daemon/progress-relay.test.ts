import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ProgressValue } from '@mmm/protocol';
import { ProgressRelay } from '../../../../packages/host/src/daemon/progress-relay.ts';
import { hostLimits } from '../../../../packages/host/src/limits.ts';

function relayed(isFull: () => boolean = () => false) {
  const sent: ProgressValue[] = [];
  const givenUp: string[] = [];
  let open: () => void = () => undefined;
  const gate = new Promise<void>((resolve) => {
    open = resolve;
  });
  const context = { progress: (value: ProgressValue) => void sent.push(value), room: () => gate };
  const relay = new ProgressRelay(context, { isFull, giveUp: (reason) => void givenUp.push(reason.code) });
  return { relay, sent, givenUp, open };
}

test('chunks wait for their client and come in order, and the answer after them', async () => {
  const { relay, sent, open } = relayed();
  for (let seq = 0; seq < 3; seq += 1) relay.pass({ kind: 'chunk', seq, data: seq });
  assert.deepEqual(sent, []);
  open();
  await relay.drained();
  assert.deepEqual(
    sent.map((value: ProgressValue) => value.kind === 'chunk' && value.seq),
    [0, 1, 2],
  );
});

test('reports are left out while the client does not read', () => {
  const { relay, sent, open } = relayed(() => true);
  open();
  relay.pass({ kind: 'report', message: 'half' });
  assert.deepEqual(sent, []);
});

test('a client that leaves too many chunks unread loses its call, once', async () => {
  const { relay, givenUp, open } = relayed();
  for (let seq = 0; seq < hostLimits.controlProgressQueued + 10; seq += 1) relay.pass({ kind: 'chunk', seq, data: 0 });
  assert.deepEqual(givenUp, ['BUSY']);
  open();
  await assert.rejects(relay.drained(), { code: 'BUSY' });
});
