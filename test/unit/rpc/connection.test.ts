import assert from 'node:assert/strict';
import { test } from 'node:test';
import { method, notification, RpcError, wireErrors } from '@mmm/protocol';
import { CallFailed, connect, type HandlerContext, memoryTransportPair, onNotification, onRequest } from '@mmm/rpc';
import * as z from 'zod';
import { FakeClock, settled } from '../../support/fake-clock.ts';
import { framed, isClosed, rawPeer } from '../../support/raw-peer.ts';

const anything = z.looseObject({});
const echo = method(
  'echo',
  '',
  z.looseObject({ text: z.string().default('none') }),
  z.looseObject({ text: z.string() }),
);
const slow = method('slow', '', anything, anything);
const note = notification('note', '', z.looseObject({ text: z.string() }));

function failedWith(reason: CallFailed['reason']): (error: unknown) => boolean {
  return (error) => error instanceof CallFailed && error.reason === reason;
}

test('a call is one line of JSON with one params object, its defaults filled in', async () => {
  const peer = rawPeer();
  const call = peer.connection.call(echo, {});
  assert.equal(await peer.text(), '{"jsonrpc":"2.0","id":0,"method":"echo","params":{"text":"none"}}\n');
  assert.equal(peer.connection.inFlight, 1);
  await peer.send({ jsonrpc: '2.0', id: 0, result: { text: 'hi', more: 1 } });
  assert.deepEqual(await call, { text: 'hi', more: 1 });
  assert.equal(peer.connection.inFlight, 0);
});

test('params that look like a cancellation token of the library are params', async () => {
  const peer = rawPeer();
  peer.connection.call(slow, { isCancellationRequested: false, onCancellationRequested: 1 }).catch(() => {});
  const [sent] = await peer.received();
  assert.deepEqual(sent?.params, { isCancellationRequested: false, onCancellationRequested: 1 });
});

test('everything sent in one turn goes out in one write', async () => {
  const peer = rawPeer();
  const writes: string[] = [];
  peer.output.on('data', (chunk: Buffer) => writes.push(chunk.toString()));
  for (let index = 0; index < 10; index++) peer.connection.call(slow, {}).catch(() => {});
  peer.connection.notify(note, { text: 'x' });
  await settled();
  assert.equal(writes.length, 1);
  assert.equal(writes[0]?.split('\n').length, 12);
});

test('content-length is written when asked for', async () => {
  const peer = rawPeer({ framing: 'content-length' });
  peer.connection.notify(note, { text: 'ü' });
  assert.equal(await peer.text(), framed({ jsonrpc: '2.0', method: 'note', params: { text: 'ü' } }));
});

test('a mirror writes as the peer does', async () => {
  const peer = rawPeer({ framing: 'mirror', requests: { echo: onRequest(echo, async ({ text }) => ({ text })) } });
  await peer.send(framed({ jsonrpc: '2.0', id: 'a', method: 'echo', params: { text: 'x' } }));
  assert.equal(await peer.text(), framed({ jsonrpc: '2.0', id: 'a', result: { text: 'x' } }));
  assert.deepEqual(peer.faultKinds, []);
});

test('wrong params are refused before anything is sent', async () => {
  const peer = rawPeer();
  const call = peer.connection.call(echo, { text: 7 } as unknown as { text: string });
  await assert.rejects(
    call,
    (error) => failedWith('invalid_params')(error) && (error as CallFailed).issues?.[0]?.path === 'text',
  );
  await assert.rejects(peer.connection.call(slow, { big: 1n }), failedWith('invalid_params'));
  const cyclic: Record<string, unknown> = {};
  cyclic.self = cyclic;
  await assert.rejects(peer.connection.call(slow, cyclic), failedWith('invalid_params'));
  peer.connection.notify(note, {} as { text: string });
  assert.equal(await peer.text(), '');
  assert.equal(peer.connection.counters.dropped, 1);
  assert.equal(peer.connection.inFlight, 0);
});

test('an error the peer answers is an RpcError with its data', async () => {
  const peer = rawPeer();
  const fails = [peer.connection.call(slow, {}), peer.connection.call(slow, {}), peer.connection.call(slow, {})];
  for (const call of fails) call.catch(() => {});
  const [ours, other, none] = fails;
  await peer.send({
    jsonrpc: '2.0',
    id: 0,
    error: { code: -32053, message: 'later', data: { kind: 'busy', retryable: true } },
  });
  await peer.send({ jsonrpc: '2.0', id: 1, error: { code: -1, message: 'odd', data: ['x'] } });
  await peer.send({ jsonrpc: '2.0', id: 2, error: { code: -32601, message: 'no' }, result: null });
  await assert.rejects(
    ours as Promise<unknown>,
    (error) => error instanceof RpcError && error.is('Busy') && error.data?.retryable === true,
  );
  await assert.rejects(other as Promise<unknown>, (error) => {
    assert.deepEqual((error as RpcError).data, { kind: 'unknown', retryable: false, details: ['x'] });
    return (error as RpcError).code === -1;
  });
  await assert.rejects(none as Promise<unknown>, (error) => (error as RpcError).is('MethodNotFound'));
});

test('a call over the limit is refused here, an answer over it there', async () => {
  const peer = rawPeer({
    limits: { messageBytes: 1000 },
    requests: { slow: onRequest(slow, () => ({ x: 'x'.repeat(1000) })) },
  });
  await assert.rejects(peer.connection.call(slow, { x: 'x'.repeat(1000) }), failedWith('too_large'));
  await peer.send({ jsonrpc: '2.0', id: 1, method: 'slow' });
  const [answer] = await peer.received();
  assert.equal((answer?.error as { code: number } | undefined)?.code, wireErrors.MessageTooLarge.code);
});

test('the idle time restarts with each progress, and the cap ends the call all the same', async () => {
  const peer = rawPeer();
  const seen: unknown[] = [];
  const call = peer.connection.call(
    slow,
    {},
    { timeoutMs: 100, timeoutMaxMs: 250, onProgress: (value) => seen.push(value) },
  );
  call.catch(() => {});
  const [sent] = await peer.received();
  const token = (sent?.params as { progress_token: string } | undefined)?.progress_token;
  for (let turn = 0; turn < 4; turn++) {
    await peer.clock.advance(60);
    await peer.send({
      jsonrpc: '2.0',
      method: '$/progress',
      params: { token, value: { kind: 'report', fraction: turn / 4 } },
    });
  }
  assert.equal(seen.length, 4);
  assert.equal(peer.connection.inFlight, 1);
  await peer.clock.advance(11);
  await assert.rejects(call, failedWith('timeout'));
  assert.deepEqual((await peer.received())[0], { jsonrpc: '2.0', method: '$/cancelRequest', params: { id: 0 } });
});

test('a call without an answer or progress ends after its idle time', async () => {
  const peer = rawPeer();
  const call = peer.connection.call(slow, {}, { timeoutMs: 100 });
  call.catch(() => {});
  await peer.clock.advance(99);
  assert.equal(peer.connection.inFlight, 1);
  await peer.clock.advance(1);
  await assert.rejects(call, { reason: 'timeout', message: /"slow" got neither an answer nor progress for 100 ms/ });
});

test('a deadline that is held gives the call its whole time once more, the cap included', async () => {
  let held = true;
  const peer = rawPeer({ holdsDeadlines: () => held });
  const call = peer.connection.call(slow, {}, { timeoutMs: 100, timeoutMaxMs: 100 });
  call.catch(() => {});
  await peer.clock.advance(10_000);
  assert.equal(peer.connection.inFlight, 1);
  held = false;
  await peer.clock.advance(100);
  await assert.rejects(call, failedWith('timeout'));
});

test('a connection is closed from the moment in which nothing more can be sent', async () => {
  const peer = rawPeer();
  assert.equal(peer.connection.isClosed, false);
  peer.output.destroy(new Error('EPIPE'));
  await settled();
  assert.equal(peer.connection.isClosed, true, 'its answers may still be on their way');
  const other = rawPeer();
  other.input.end();
  await settled();
  assert.equal(other.connection.isClosed, true);
});

test('a cancelled call settles at once, tells the peer, and its late answer is dropped', async () => {
  const peer = rawPeer();
  const abort = new AbortController();
  const call = peer.connection.call(slow, {}, { signal: abort.signal });
  await peer.received();
  abort.abort();
  await assert.rejects(call, failedWith('cancelled'));
  assert.deepEqual(await peer.received(), [{ jsonrpc: '2.0', method: '$/cancelRequest', params: { id: 0 } }]);
  await peer.clock.advance(4999);
  assert.deepEqual(peer.faultKinds, []);
  await peer.clock.advance(1);
  assert.deepEqual(peer.faultKinds, ['unresponsive_to_cancel']);
  await peer.send({ jsonrpc: '2.0', id: 0, result: {} });
  assert.deepEqual(peer.faultKinds, ['unresponsive_to_cancel', 'late_reply']);
  assert.equal(peer.clock.waiting, 0);
});

test('a cancelled call that is answered in time is not counted as unresponsive', async () => {
  const peer = rawPeer();
  const abort = new AbortController();
  const call = peer.connection.call(slow, {}, { signal: abort.signal });
  abort.abort();
  await assert.rejects(call, failedWith('cancelled'));
  await peer.send({ jsonrpc: '2.0', id: 0, error: { code: -32800, message: 'cancelled' } });
  await peer.clock.advance(10_000);
  assert.deepEqual(peer.faultKinds, ['late_reply']);
});

test('a call whose signal aborted before is not sent', async () => {
  const peer = rawPeer();
  await assert.rejects(peer.connection.call(slow, {}, { signal: AbortSignal.abort() }), failedWith('cancelled'));
  assert.equal(await peer.text(), '');
});

test('chunks arrive in order before the answer and are acknowledged', async () => {
  const peer = rawPeer();
  const seen: unknown[] = [];
  const call = peer.connection.call(
    slow,
    {},
    { progressToken: 't', onProgress: (value) => seen.push((value as { data: unknown }).data) },
  );
  await peer.received();
  const chunk = (seq: number): string =>
    `{"jsonrpc":"2.0","method":"$/progress","params":{"token":"t","value":{"kind":"chunk","seq":${seq},"data":${seq}}}}
`;
  await peer.send(`${chunk(0)}${chunk(1)}${chunk(3)}${chunk(2)}{"jsonrpc":"2.0","id":0,"result":{}}\n`);
  await call;
  assert.deepEqual(seen, [0, 1, 2]);
  assert.deepEqual(peer.faultKinds, ['invalid_message']);
  assert.deepEqual(
    (await peer.received()).map(({ params }) => params),
    [0, 1, 2].map((seq) => ({ token: 't', seq })),
  );
});

test('everything is settled as closed before the connection counts as closed', async () => {
  for (const how of ['end', 'error', 'close'] as const) {
    const peer = rawPeer();
    const order: string[] = [];
    const calls = [1, 2, 3].map((number) =>
      peer.connection.call(slow, {}).catch((error) => {
        order.push(`call ${number} ${(error as CallFailed).reason}`);
      }),
    );
    const closed = peer.connection.closed.then(({ kind }) => order.push(kind));
    await settled();
    if (how === 'end') peer.input.end();
    else if (how === 'error') peer.input.destroy(new Error('broken'));
    else peer.connection.close('enough');
    await Promise.all([...calls, closed]);
    const kind = { end: 'ended', error: 'io', close: 'disposed' }[how];
    assert.deepEqual(order, ['call 1 closed', 'call 2 closed', 'call 3 closed', kind]);
    await assert.rejects(peer.connection.call(slow, {}), failedWith('closed'));
    peer.connection.notify(note, { text: 'x' });
    peer.connection.close();
    await peer.connection.room();
    peer.input.emit('error', new Error('late'));
    peer.output.emit('error', new Error('late'));
    assert.equal(peer.clock.waiting, 0);
  }
});

test('answers that were on their way when the output broke still count', async () => {
  const peer = rawPeer();
  const call = peer.connection.call(slow, {});
  await peer.received();
  peer.output.destroy(new Error('EPIPE'));
  await settled();
  assert.equal(await isClosed(peer.connection), 'open');
  await assert.rejects(peer.connection.call(slow, {}), failedWith('closed'));
  await peer.send({ jsonrpc: '2.0', id: 0, result: {} });
  await call;
  await peer.clock.advance(1000);
  assert.equal((await peer.connection.closed).kind, 'io');
});

test('an input that had ended before closes the connection', async () => {
  const [transport] = memoryTransportPair();
  transport.input.destroy();
  const connection = connect(transport, { framing: 'ndjson', clock: new FakeClock() });
  assert.equal((await connection.closed).kind, 'ended');
});

test('requests in hand are answered after the input ended, when asked for', async () => {
  let answer: (value: { done: boolean }) => void = () => {};
  let context: HandlerContext | undefined;
  const handler = onRequest(slow, (_params, given) => {
    context = given;
    return new Promise<{ done: boolean }>((resolve) => {
      answer = resolve;
    });
  });
  const peer = rawPeer({ finishOnEnd: true, requests: { slow: handler } });
  peer.input.end('{"jsonrpc":"2.0","id":1,"method":"slow"}');
  await settled();
  assert.equal(await isClosed(peer.connection), 'open');
  assert.equal(context?.signal.aborted, false);
  answer({ done: true });
  assert.deepEqual(await peer.received(), [{ jsonrpc: '2.0', id: 1, result: { done: true } }]);
  assert.equal((await peer.connection.closed).kind, 'ended');
});

test('two peers in one process call each other, and one closing closes the other', async () => {
  const [one, other] = memoryTransportPair();
  const heard: string[] = [];
  const host = connect(one, {
    framing: 'ndjson',
    requests: { echo: onRequest(echo, async ({ text }) => ({ text: `host ${text}` })) },
  });
  const plugin = connect(other, {
    framing: 'mirror',
    requests: { echo: onRequest(echo, async ({ text }) => plugin.call(echo, { text: `plugin ${text}` })) },
    notifications: { note: onNotification(note, ({ text }) => void heard.push(text)) },
  });
  host.notify(note, { text: 'first' });
  assert.deepEqual(await host.call(echo, { text: 'x' }), { text: 'host plugin x' });
  assert.deepEqual(heard, ['first']);
  host.close();
  assert.equal((await plugin.closed).kind, 'ended');
  assert.equal((await host.closed).kind, 'disposed');
});
