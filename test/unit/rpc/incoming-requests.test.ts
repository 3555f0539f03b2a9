import assert from 'node:assert/strict';
import { test } from 'node:test';
import { method, RpcError, wireErrors } from '@mmm/protocol';
import { connect, type HandlerContext, memoryTransportPair, onRequest } from '@mmm/rpc';
import * as z from 'zod';
import { settled } from '../../support/fake-clock.ts';
import { type RawPeer, rawPeer } from '../../support/raw-peer.ts';

const anything = z.looseObject({});
const work = method('work', '', anything, anything);

interface Answer {
  id: unknown;
  result?: unknown;
  error?: { code: number; message: string; data?: { kind: string; retryable: boolean; details?: unknown } };
}

async function answers(peer: RawPeer): Promise<Answer[]> {
  return (await peer.received()) as unknown as Answer[];
}

function request(id: unknown, params: object = {}): object {
  return { jsonrpc: '2.0', id, method: 'work', params };
}

test('an error of a handler keeps its code and data, any other one tells nothing', async () => {
  const thrown: unknown[] = [
    RpcError.of('PermissionDenied', 'You may not.', { permission: 'x' }),
    new RpcError(-7, 'Own.'),
    new RpcError(-32053, 'No data.'),
    new Error('secret'),
    'secret',
    {
      toString: () => {
        throw new Error('nasty');
      },
    },
    undefined,
  ];
  const peer = rawPeer({
    requests: {
      work: onRequest(work, async ({ index }) => {
        throw thrown[index as number];
      }),
    },
  });
  for (const index of thrown.keys()) await peer.send(request(index, { index }));
  const got = await answers(peer);
  assert.deepEqual(got[0]?.error, {
    code: wireErrors.PermissionDenied.code,
    message: 'You may not.',
    data: { kind: 'permission_denied', retryable: false, details: { permission: 'x' } },
  });
  assert.deepEqual(got[1]?.error, { code: -7, message: 'Own.' });
  assert.deepEqual(got[2]?.error?.data, { kind: 'busy', retryable: true });
  for (const { error } of got.slice(3)) {
    assert.deepEqual(error, {
      code: wireErrors.InternalError.code,
      message: 'The request work failed.',
      data: { kind: 'internal_error', retryable: false },
    });
  }
  assert.equal(peer.connection.counters.faults.handler_failed, 4);
});

test('the plugin side tells the message of its handler, without a stack', async () => {
  const peer = rawPeer({
    exposeErrors: true,
    requests: {
      work: onRequest(work, () => {
        throw new TypeError('x is not y');
      }),
    },
  });
  await peer.send(request(1));
  const [answer] = await answers(peer);
  assert.equal(answer?.error?.message, 'x is not y');
  assert.ok(!JSON.stringify(answer).includes('at '));
});

test('a result that does not match, or cannot be written, is an internal error', async () => {
  const strict = method('work', '', anything, z.looseObject({ sum: z.number() }));
  const results: unknown[] = [{ sum: 'x' }, { sum: 1, big: 1n }, null];
  const peer = rawPeer({
    requests: { work: onRequest(strict, ({ index }) => results[index as number] as { sum: number }) },
  });
  for (const index of results.keys()) await peer.send(request(index, { index }));
  for (const { error } of await answers(peer)) assert.equal(error?.code, wireErrors.InternalError.code);
});

test('a cancelled request aborts its signal and is answered as cancelled', async () => {
  const seen: string[] = [];
  const peer = rawPeer({
    requests: {
      work: onRequest(
        work,
        (_params, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              seen.push(String(signal.reason.message));
              reject(new Error('stopped'));
            });
          }),
      ),
    },
  });
  await peer.send(request('a'));
  await peer.send({ jsonrpc: '2.0', method: '$/cancelRequest', params: { id: 'a' } });
  const [answer] = await answers(peer);
  assert.equal(answer?.error?.code, wireErrors.RequestCancelled.code);
  assert.deepEqual(seen, ['The request was cancelled by its sender.']);
  assert.deepEqual(peer.faultKinds, []);
});

test('a signal that is asked for after the cancellation is aborted', async () => {
  let context: HandlerContext | undefined;
  let finish: (value: Record<string, unknown>) => void = () => {};
  const peer = rawPeer({
    requests: {
      work: onRequest(work, (_params, given) => {
        context = given;
        return new Promise((resolve) => {
          finish = resolve;
        });
      }),
    },
  });
  await peer.send(request(1));
  await peer.send({ jsonrpc: '2.0', method: '$/cancelRequest', params: { id: 1 } });
  assert.equal(context?.signal.aborted, true);
  finish({ done: true });
  assert.deepEqual((await answers(peer))[0]?.result, { done: true });
});

test('handlers run side by side up to the limit, and the rest is answered as busy', async () => {
  const finish: ((value: Record<string, unknown>) => void)[] = [];
  const peer = rawPeer({ requests: { work: onRequest(work, () => new Promise((resolve) => finish.push(resolve))) } });
  for (let id = 0; id < 66; id++) await peer.send(request(id));
  assert.equal(finish.length, 64);
  const busy = await answers(peer);
  assert.deepEqual(
    busy.map(({ id, error }) => [id, error?.code]),
    [
      [64, wireErrors.Busy.code],
      [65, wireErrors.Busy.code],
    ],
  );
  finish[3]?.({});
  assert.deepEqual(await answers(peer), [{ jsonrpc: '2.0', id: 3, result: {} }]);
  await peer.send(request(100));
  assert.equal(finish.length, 65);
});

test('an id in use is refused, and both it and a text of the same digits are answered', async () => {
  const finish: (() => void)[] = [];
  const peer = rawPeer({
    requests: { work: onRequest(work, ({ n }) => new Promise((resolve) => finish.push(() => resolve({ n })))) },
  });
  await peer.send(request(1, { n: 1 }));
  await peer.send(request(1, { n: 2 }));
  await peer.send(request('1', { n: 3 }));
  for (const run of finish) run();
  const got = await answers(peer);
  assert.deepEqual(
    got.map(({ id, result, error }) => [id, result ?? error?.code]),
    [
      [1, wireErrors.InvalidRequest.code],
      [1, { n: 1 }],
      ['1', { n: 3 }],
    ],
  );
});

test('when the connection ends, handlers are aborted and their answers go nowhere', async () => {
  let aborted = false;
  let finish: (value: Record<string, unknown>) => void = () => {};
  const peer = rawPeer({
    requests: {
      work: onRequest(
        work,
        (_params, { signal, progress }) =>
          new Promise((resolve) => {
            finish = resolve;
            signal.addEventListener('abort', () => {
              aborted = true;
            });
            assert.equal(typeof progress, 'function');
          }),
      ),
    },
  });
  await peer.send(request(1));
  peer.input.end();
  await peer.connection.closed;
  assert.equal(aborted, true);
  finish({});
  await settled();
});

test('a stream waits for room after 64 chunks that are not acknowledged', async () => {
  let sent = 0;
  const peer = rawPeer({
    requests: {
      work: onRequest(work, async (_params, context) => {
        for (; sent < 100; sent++) {
          await context.room();
          context.progress({ kind: 'chunk', seq: sent, data: 'x' });
        }
        return {};
      }),
    },
  });
  await peer.send(request(1, { progress_token: 'stream' }));
  assert.equal(sent, 64);
  await peer.send({ jsonrpc: '2.0', method: '$/ack', params: { token: 'stream', seq: 9 } });
  assert.equal(sent, 74);
  await peer.send({ jsonrpc: '2.0', method: '$/ack', params: { token: 'stream', seq: 1e9 } });
  assert.equal((await answers(peer)).length, 101);
});

test('a stream of a thousand chunks reaches the caller in order, before the answer', async () => {
  const [one, other] = memoryTransportPair();
  const caller = connect(one, { framing: 'ndjson' });
  connect(other, {
    framing: 'mirror',
    requests: {
      work: onRequest(work, async (_params, context) => {
        for (let seq = 0; seq < 1000; seq++) {
          await context.room();
          context.progress({ kind: 'chunk', seq, data: seq });
        }
        return {};
      }),
    },
  });
  const seen: number[] = [];
  await caller.call(work, {}, { onProgress: (value) => seen.push((value as unknown as { data: number }).data) });
  assert.deepEqual(
    seen,
    Array.from({ length: 1000 }, (_, index) => index),
  );
  caller.close();
});
