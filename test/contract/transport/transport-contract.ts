import assert from 'node:assert/strict';
import { test } from 'node:test';
import { method } from '@mmm/protocol';
import { connect, onRequest, type Transport } from '@mmm/rpc';
import * as z from 'zod';

const echo = method('echo', '', z.looseObject({ text: z.string() }), z.looseObject({ text: z.string() }));

/** What every pair of transports must do, whatever carries the bytes. `make` returns both ends. */
export function testTransport(name: string, make: () => Promise<[Transport, Transport]>): void {
  test(`${name}: messages of any size arrive whole, in order, both ways`, async () => {
    const [one, other] = await make();
    const near = connect(one, { framing: 'ndjson', requests: { echo: onRequest(echo, (params) => params) } });
    const far = connect(other, { framing: 'mirror', requests: { echo: onRequest(echo, (params) => params) } });
    for (const size of [0, 1, 100, 65_535, 65_536, 1_000_000]) {
      const text = 'é'.repeat(size);
      assert.equal((await near.call(echo, { text })).text, text);
      assert.equal((await far.call(echo, { text })).text, text);
    }
    const texts = Array.from({ length: 64 }, (_, index) => String(index));
    const answers = await Promise.all(texts.map((text) => near.call(echo, { text })));
    assert.deepEqual(
      answers.map(({ text }) => text),
      texts,
    );
    near.close();
    assert.equal((await far.closed).kind, 'ended');
  });

  test(`${name}: one end closing settles the calls of the other`, async () => {
    const [one, other] = await make();
    const near = connect(one, { framing: 'ndjson' });
    const far = connect(other, { framing: 'mirror', requests: { echo: onRequest(echo, () => new Promise(() => {})) } });
    const call = near.call(echo, { text: 'x' });
    far.close();
    await assert.rejects(call, { reason: 'closed' });
    assert.equal((await near.closed).kind, 'ended');
  });

  test(`${name}: an end destroyed in mid-message throws nowhere`, async () => {
    const [one, other] = await make();
    const near = connect(one, { framing: 'ndjson' });
    other.output.write('{"jsonrpc":"2.0",');
    const call = near.call(echo, { text: 'x'.repeat(100_000) });
    other.input.destroy();
    other.output.destroy();
    await assert.rejects(call, { reason: 'closed' });
    assert.ok(['ended', 'io'].includes((await near.closed).kind));
  });
}
