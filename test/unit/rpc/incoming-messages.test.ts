import assert from 'node:assert/strict';
import { test } from 'node:test';
import { method, notification, RpcError, wireErrors } from '@mmm/protocol';
import { CallFailed, type FaultKind, onNotification, onRequest } from '@mmm/rpc';
import * as z from 'zod';
import { framed, rawPeer } from '../../support/raw-peer.ts';

const add = method('add', '', z.looseObject({ a: z.number(), b: z.number() }), z.looseObject({ sum: z.number() }));
const note = notification('note', '', z.looseObject({ text: z.string() }));
const requests = { add: onRequest(add, ({ a, b }) => ({ sum: a + b })) };

interface Expected {
  readonly faults?: FaultKind[];
  readonly strays?: string[];
  /** id and error code (or 'ok') of each answer. */
  readonly answers?: [unknown, keyof typeof wireErrors | 'ok'][];
}

/** What is sent, and all that happens because of it; then a proper request must be answered as if nothing had been. */
const table: Record<string, [string | Buffer, Expected]> = {
  'null is a stray line': ['null\n', { strays: ['null'] }],
  'a number is a stray line': ['42\n', { strays: ['42'] }],
  'a string is a stray line': ['"x"\n', { strays: ['"x"'] }],
  'text is a stray line': ['Traceback (most recent call last):\n', { strays: ['Traceback (most recent call last):'] }],
  'an empty batch is answered': ['[]\n', { faults: ['batch'], answers: [[null, 'InvalidRequest']] }],
  'a batch is answered once and not run': [
    '[{"jsonrpc":"2.0","id":1,"method":"add","params":{"a":1,"b":2}}]\n',
    { faults: ['batch'], answers: [[null, 'InvalidRequest']] },
  ],
  'a logged object is a stray line': ['{"level":30,"msg":"up"}\n', { strays: ['{"level":30,"msg":"up"}'] }],
  'an empty object is a stray line': ['{}\n', { strays: ['{}'] }],
  'another version is answered': [
    '{"jsonrpc":"1.0","id":1,"method":"add"}\n',
    { faults: ['invalid_message'], answers: [[1, 'InvalidRequest']] },
  ],
  'no version is answered': [
    '{"id":"x","method":"add"}\n',
    { faults: ['invalid_message'], answers: [['x', 'InvalidRequest']] },
  ],
  'no version and no id is counted': ['{"method":"note"}\n', { faults: ['invalid_message'] }],
  'a fractional id is answered without it': [
    '{"jsonrpc":"2.0","id":1.5,"method":"add"}\n',
    { faults: ['invalid_message'], answers: [[null, 'InvalidRequest']] },
  ],
  'a null id is counted': ['{"jsonrpc":"2.0","id":null,"method":"add"}\n', { faults: ['invalid_message'] }],
  'an object as id is answered without it': [
    '{"jsonrpc":"2.0","id":{},"method":"add"}\n',
    { faults: ['invalid_message'], answers: [[null, 'InvalidRequest']] },
  ],
  'a method that is no string is answered': [
    '{"jsonrpc":"2.0","id":1,"method":7}\n',
    { faults: ['invalid_message'], answers: [[1, 'InvalidRequest']] },
  ],
  'neither method nor result is counted': ['{"jsonrpc":"2.0","id":1}\n', { faults: ['invalid_message'] }],
  'an error without an id is counted': [
    '{"jsonrpc":"2.0","id":null,"error":{"code":1,"message":"x"}}\n',
    { faults: ['invalid_message'] },
  ],
  'an unknown method is answered': ['{"jsonrpc":"2.0","id":1,"method":"nope"}\n', { answers: [[1, 'MethodNotFound']] }],
  'a method named like a member of Object is unknown': [
    '{"jsonrpc":"2.0","id":1,"method":"constructor"}\n{"jsonrpc":"2.0","id":2,"method":"__proto__"}\n',
    {
      answers: [
        [1, 'MethodNotFound'],
        [2, 'MethodNotFound'],
      ],
    },
  ],
  'an unknown notification is counted': ['{"jsonrpc":"2.0","method":"nope"}\n', { faults: ['unknown_notification'] }],
  'wrong params are answered': [
    '{"jsonrpc":"2.0","id":1,"method":"add","params":{"a":"1"}}\n',
    { faults: ['invalid_params'], answers: [[1, 'InvalidParams']] },
  ],
  'params by position are answered': [
    '{"jsonrpc":"2.0","id":1,"method":"add","params":[1,2]}\n',
    { faults: ['invalid_params'], answers: [[1, 'InvalidParams']] },
  ],
  'wrong params of a notification are counted': [
    '{"jsonrpc":"2.0","method":"note","params":{}}\n',
    { faults: ['invalid_params'] },
  ],
  'a cancellation without params is counted': [
    '{"jsonrpc":"2.0","method":"$/cancelRequest"}\n',
    { faults: ['invalid_params'] },
  ],
  'a cancellation of nothing is normal': ['{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":77}}\n', {}],
  'progress without params is counted': ['{"jsonrpc":"2.0","method":"$/progress"}\n', { faults: ['invalid_params'] }],
  'progress of nothing is counted': [
    '{"jsonrpc":"2.0","method":"$/progress","params":{"token":"x","value":{"kind":"report"}}}\n',
    { faults: ['unknown_notification'] },
  ],
  'an answer to nothing is counted': ['{"jsonrpc":"2.0","id":99,"result":{}}\n', { faults: ['unknown_id'] }],
  'an answer with a text as id is counted': ['{"jsonrpc":"2.0","id":"0","result":{}}\n', { faults: ['unknown_id'] }],
  'a frame that is not JSON is counted': [framed('{nope}'), { faults: ['invalid_message'], strays: ['{nope}'] }],
  'a request that is not UTF-8 is answered': [
    Buffer.from('{"jsonrpc":"2.0","id":1,"method":"add","params":{"a":"\xff"}}\n', 'latin1'),
    {
      faults: ['invalid_utf8'],
      strays: ['{"jsonrpc":"2.0","id":1,"method":"add","params":{"a":"\ufffd"}}'],
      answers: [[1, 'ParseError']],
    },
  ],
  'a printed line that is not UTF-8 is counted and kept': [
    Buffer.from('na\xefve\n', 'latin1'),
    { faults: ['invalid_utf8'], strays: ['na\ufffdve'] },
  ],
  'a sent replacement character is nothing wrong': [
    '{"jsonrpc":"2.0","id":1,"method":"add","params":{"a":1,"b":1,"c":"\ufffd"}}\n',
    { answers: [[1, 'ok']] },
  ],
  'a request that nests too deep is answered': [
    `{"jsonrpc":"2.0","id":1,"method":"add","params":{"a":${'['.repeat(200)}${']'.repeat(200)}}}\n`,
    { faults: ['oversized_request'], answers: [[1, 'MessageTooLarge']] },
  ],
  'keys for prototypes reach nothing': [
    '{"jsonrpc":"2.0","id":1,"method":"add","params":{"a":1,"b":1,"__proto__":{"polluted":1}},"__proto__":{"x":1}}\n',
    { answers: [[1, 'ok']] },
  ],
};

for (const [name, [bytes, expected]] of Object.entries(table)) {
  test(name, async () => {
    const peer = rawPeer({ requests, notifications: { note: onNotification(note, () => {}) } });
    await peer.send(bytes);
    const answers = (await peer.received()).map(({ id, error, result }) => {
      const { code, data } = (error ?? {}) as { code?: number; data?: { kind: string; retryable: boolean } };
      const found = Object.entries(wireErrors).find(([, entry]) => entry.code === code);
      if (found !== undefined) assert.equal(data?.kind, found[1].kind);
      return [id, result === undefined ? found?.[0] : 'ok'];
    });
    assert.deepEqual(answers, expected.answers ?? []);
    assert.deepEqual(peer.faultKinds, expected.faults ?? []);
    assert.deepEqual(peer.strays, expected.strays ?? []);
    await peer.send({ jsonrpc: '2.0', id: 1000, method: 'add', params: { a: 2, b: 3 } });
    assert.deepEqual(await peer.received(), [{ jsonrpc: '2.0', id: 1000, result: { sum: 5 } }]);
    assert.equal(({} as { polluted?: number }).polluted, undefined);
    peer.connection.close();
  });
}

const answersToCalls: Record<string, [(id: unknown) => string | Buffer, string, FaultKind[]]> = {
  'a result of another shape': [
    (id) => `{"jsonrpc":"2.0","id":${id},"result":{"sum":"5"}}\n`,
    'invalid_result',
    ['invalid_result'],
  ],
  'an answer without a version': [(id) => `{"id":${id},"result":{"sum":5}}\n`, 'invalid_result', ['invalid_message']],
  'neither result nor error': [(id) => `{"jsonrpc":"2.0","id":${id}}\n`, 'invalid_result', ['invalid_message']],
  'an error that is a text': [
    (id) => `{"jsonrpc":"2.0","id":${id},"error":"no"}\n`,
    'invalid_result',
    ['invalid_message'],
  ],
  'an answer that nests too deep': [
    (id) => `{"jsonrpc":"2.0","id":${id},"result":${'['.repeat(200)}${']'.repeat(200)}}\n`,
    'too_large',
    ['oversized_response'],
  ],
  'an answer that is not UTF-8': [
    (id) => Buffer.from(`{"jsonrpc":"2.0","id":${id},"result":{"sum":5,"x":"\xff"}}\n`, 'latin1'),
    'invalid_result',
    ['invalid_utf8'],
  ],
  'an answer over the limit': [
    (id) => `{"jsonrpc":"2.0","id":${id},"result":{"sum":5,"x":"${'x'.repeat(70_000)}"}}\n`,
    'too_large',
    ['oversized_response'],
  ],
  'a framed answer over the limit': [
    (id) => framed(`{"jsonrpc":"2.0","id":${id},"result":{"sum":5,"x":"${'x'.repeat(70_000)}"}}`),
    'too_large',
    ['oversized_response'],
  ],
};

for (const [name, [answer, reason, faults]] of Object.entries(answersToCalls)) {
  test(`${name} fails the call at once, and the next one is answered`, async () => {
    const peer = rawPeer({ limits: { messageBytes: 66_000 } });
    const failing = peer.connection.call(add, { a: 2, b: 3 });
    failing.catch(() => {});
    const [request] = await peer.received();
    await peer.send(answer(request?.id));
    await assert.rejects(failing, (error) => error instanceof CallFailed && error.reason === reason);
    assert.deepEqual(
      peer.faultKinds.filter((kind) => kind !== 'wrong_framing'),
      faults,
    );
    const next = peer.connection.call(add, { a: 2, b: 3 });
    const [second] = await peer.received();
    await peer.send({ jsonrpc: '2.0', id: second?.id, result: { sum: 5 } });
    assert.deepEqual(await next, { sum: 5 });
    assert.equal(peer.connection.inFlight, 0);
    peer.connection.close();
  });
}

test('an oversized answer whose id comes last is counted, and the call keeps its deadline', async () => {
  const peer = rawPeer({ limits: { messageBytes: 66_000 } });
  const failing = peer.connection.call(add, { a: 2, b: 3 }, { timeoutMs: 100 });
  failing.catch(() => {});
  await peer.received();
  await peer.send(`{"jsonrpc":"2.0","result":{"x":"${'x'.repeat(70_000)}"},"id":0}\n`);
  assert.deepEqual(peer.faultKinds, ['oversized_response']);
  assert.equal(peer.connection.inFlight, 1);
  await peer.clock.advance(101);
  await assert.rejects(failing, { reason: 'timeout' });
  peer.connection.close();
});

test('answers that come twice, late, or to nothing are told apart', async () => {
  const peer = rawPeer();
  const first = peer.connection.call(add, { a: 1, b: 1 });
  const second = peer.connection.call(add, { a: 1, b: 1 }, { timeoutMs: 10 });
  second.catch(() => {});
  await peer.send('{"jsonrpc":"2.0","id":0,"result":{"sum":2}}\n{"jsonrpc":"2.0","id":0,"result":{"sum":2}}\n');
  await first;
  await peer.clock.advance(11);
  await peer.send('{"jsonrpc":"2.0","id":1,"result":{"sum":2}}\n{"jsonrpc":"2.0","id":1,"result":{"sum":2}}\n');
  await peer.send('{"jsonrpc":"2.0","id":2,"result":{"sum":2}}\n{"jsonrpc":"2.0","id":-1,"result":{"sum":2}}\n');
  assert.deepEqual(peer.faultKinds, ['duplicate_reply', 'late_reply', 'duplicate_reply', 'unknown_id', 'unknown_id']);
  assert.equal(peer.connection.counters.faults.unknown_id, 2);
  peer.connection.close();
});

test('the other framing is read and named once', async () => {
  const peer = rawPeer({ requests });
  const request = { jsonrpc: '2.0', id: 1, method: 'add', params: { a: 1, b: 1 } };
  await peer.send(framed(request));
  await peer.send(framed(request));
  assert.deepEqual(peer.faultKinds, ['wrong_framing']);
  assert.match(peer.faults[0]?.detail ?? '', /framing = "content-length"/);
  assert.equal((await peer.received()).length, 2);
  peer.connection.close();
});

test('half a message at the end is named', async () => {
  const peer = rawPeer();
  await peer.send('{"jsonrpc":"2.0","id"');
  peer.input.end();
  assert.deepEqual(await peer.connection.closed, { kind: 'ended', detail: 'The peer closed its output.' });
  assert.deepEqual(peer.faultKinds, ['partial_message']);
});

test('an owner that throws while it is told things is counted, and nothing else happens', async () => {
  const peer = rawPeer({
    requests,
    notifications: { note: onNotification(note, async () => Promise.reject(new Error('async'))) },
    onStray: () => {
      throw new Error('stray');
    },
    accept: (name) => {
      if (name === 'bad') throw new Error('accept');
      return name === 'late' ? RpcError.of('NotInitialized', 'Not yet.') : true;
    },
  });
  await peer.send('print\n{"jsonrpc":"2.0","method":"bad"}\n{"jsonrpc":"2.0","method":"late"}\n');
  await peer.send({ jsonrpc: '2.0', method: 'note', params: { text: 'x' } });
  await peer.send({ jsonrpc: '2.0', id: 5, method: 'late' });
  assert.deepEqual(peer.faultKinds, ['handler_failed', 'handler_failed', 'invalid_message', 'handler_failed']);
  const [refused] = await peer.received();
  assert.equal((refused?.error as { code: number } | undefined)?.code, wireErrors.NotInitialized.code);
  peer.connection.close();
});
