import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type CallOrigin, OpenCall, OpenCalls } from '../../../../packages/host/src/clients/open-calls.ts';

function opened(plugin: string, origin: CallOrigin, id?: number) {
  const held: string[] = [];
  const holdIdle = (call: number) => {
    held.push(`hold ${call}`);
    return () => void held.push(`release ${call}`);
  };
  const call = new OpenCall(plugin, { holdIdle }, { origin, endsAtMs: 100 });
  if (id !== undefined) call.sent(id);
  return { call, held };
}

test('a request belongs to the call that it names, else to the oldest, and to none that has ended', () => {
  const calls = new OpenCalls();
  const [first, second] = [opened('p', {}, 1).call, opened('p', {}, 2).call];
  calls.open(first);
  calls.open(second);
  assert.equal(calls.find(2), second);
  assert.equal(calls.find(undefined), first);
  assert.equal(calls.find(3), undefined);
  const { ended } = second;
  calls.close(second);
  assert.equal(ended.aborted, true);
  assert.equal(calls.find(2), undefined);
  calls.close(first);
  assert.equal(first.ended.aborted, true);
  assert.equal(calls.find(undefined), undefined);
});

test('the chain, the question and the report go through every call that led to this one', async () => {
  const shown: unknown[] = [];
  const { call: first, held } = opened('a', { onProgress: (value) => shown.push(value) }, 7);
  const { call: second } = opened('b', { parent: first }, 8);
  assert.deepEqual(second.chain, ['a', 'b']);
  let answer: (given: string) => void = () => undefined;
  const asked = second.whileAsking(() => new Promise<string>((resolve) => (answer = resolve)));
  assert.deepEqual([first.isAsking, second.isAsking], [true, true]);
  answer('yes');
  assert.equal(await asked, 'yes');
  assert.deepEqual([first.isAsking, second.isAsking], [false, false]);
  second.report({ kind: 'report', message: 'half' });
  assert.deepEqual(shown, [{ kind: 'report', message: 'half' }]);
  assert.deepEqual(held, ['hold 7', 'release 7']);
});

test('a plugin that waits for the host is not silent meanwhile, also when the work fails', async () => {
  const { call, held } = opened('a', {}, 7);
  await assert.rejects(call.whileServed(() => Promise.reject(new Error('no'))));
  assert.deepEqual(held, ['hold 7', 'release 7']);
});
