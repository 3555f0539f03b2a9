import assert from 'node:assert/strict';
import { test } from 'node:test';
import { method } from '@mmm/protocol';
import { CallFailed, onRequest } from '@mmm/rpc';
import * as z from 'zod';
import { settled } from '../../support/fake-clock.ts';
import { rawPeer } from '../../support/raw-peer.ts';

const anything = z.looseObject({});
const slow = method('slow', '', anything, anything);

function failedWith(reason: CallFailed['reason']): (error: unknown) => boolean {
  return (error) => error instanceof CallFailed && error.reason === reason;
}

test('who calls is told the id in the moment in which the request is written', async () => {
  const peer = rawPeer();
  const ids: number[] = [];
  const onSent = (id: number): void => void ids.push(id);
  peer.connection.call(slow, {}, { onSent }).catch(() => {});
  peer.connection.call(slow, {}, { onSent }).catch(() => {});
  assert.deepEqual(ids, [0, 1]);
  const aborted = peer.connection.call(slow, {}, { onSent, signal: AbortSignal.abort() });
  await assert.rejects(aborted);
  assert.deepEqual(ids, [0, 1]);
});

test('silence does not count while a call is held, however often, and starts anew afterwards', async () => {
  const peer = rawPeer();
  const call = peer.connection.call(slow, {}, { timeoutMs: 100, timeoutMaxMs: 1000 });
  const rejected = assert.rejects(call, failedWith('timeout'));
  await peer.clock.advance(60);
  const release = peer.connection.holdIdle(0);
  const again = peer.connection.holdIdle(0);
  await peer.clock.advance(300);
  release();
  release();
  await peer.clock.advance(300);
  assert.equal(peer.connection.inFlight, 1);
  again();
  await peer.clock.advance(90);
  assert.equal(peer.connection.inFlight, 1);
  await peer.clock.advance(20);
  await rejected;
});

test('the longest duration counts while a call is held, and a call that is over is not', async () => {
  const peer = rawPeer();
  const call = peer.connection.call(slow, {}, { timeoutMs: 100, timeoutMaxMs: 250 });
  const rejected = assert.rejects(call, failedWith('timeout'));
  const release = peer.connection.holdIdle(0);
  await peer.clock.advance(260);
  await rejected;
  release();
  peer.connection.holdIdle(0)();
  peer.connection.holdIdle(99)();
  const next = peer.connection.call(slow, {}, { timeoutMs: 100 });
  peer.connection.holdIdle(1);
  await peer.send({ jsonrpc: '2.0', id: 1, result: {} });
  await next;
  assert.equal(peer.connection.inFlight, 0);
});

const chunk = (seq: number): string =>
  `{"jsonrpc":"2.0","method":"$/progress","params":{"token":"t","value":{"kind":"chunk","seq":${seq},"data":1}}}\n`;

test('a chunk is acknowledged when whoever takes it is done with it', async () => {
  const peer = rawPeer();
  const done: (() => void)[] = [];
  const onProgress = (): Promise<void> => new Promise((resolve) => done.push(resolve));
  peer.connection.call(slow, {}, { progressToken: 't', onProgress }).catch(() => {});
  await peer.received();
  await peer.send(chunk(0) + chunk(1));
  assert.deepEqual(await peer.received(), []);
  done[1]?.();
  done[0]?.();
  await settled();
  assert.deepEqual(
    (await peer.received()).map(({ params }) => params),
    [1, 0].map((seq) => ({ token: 't', seq })),
  );
});

test('a peer that streams without waiting loses its call, and costs no more than the window', async () => {
  const peer = rawPeer();
  let taken = 0;
  const onProgress = (): Promise<void> => {
    taken += 1;
    return new Promise(() => undefined);
  };
  const call = peer.connection.call(slow, {}, { progressToken: 't', onProgress });
  const rejected = assert.rejects(call, failedWith('invalid_result'));
  await peer.send(Array.from({ length: 200 }, (_, seq) => chunk(seq)).join(''));
  await rejected;
  assert.equal(taken, 64);
});

test('a request says for which call of this side it is, when its params do', async () => {
  const seen: unknown[] = [];
  const peer = rawPeer({
    requests: {
      slow: onRequest(slow, (_params, { callId }) => {
        seen.push(callId);
        return {};
      }),
    },
  });
  for (const callId of [7, 'x', undefined, null, {}, 1.5]) {
    await peer.send({ jsonrpc: '2.0', id: seen.length, method: 'slow', params: { call_id: callId } });
  }
  assert.deepEqual(seen, [7, 'x', undefined, undefined, undefined, undefined]);
});
