import assert from 'node:assert/strict';
import { performance } from 'node:perf_hooks';
import { Readable } from 'node:stream';
import { test } from 'node:test';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { method, notification } from '@mmm/protocol';
import { connect, memoryTransportPair, onNotification } from '@mmm/rpc';
import * as z from 'zod';
import { settled } from '../../support/fake-clock.ts';
import { framed, rawPeer } from '../../support/raw-peer.ts';

const anything = z.looseObject({});
const note = notification('note', '', anything);
const ping = method('ping', '', anything, anything);
const mebibyte = 1024 * 1024;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

function usedBytes(): number {
  const { external, arrayBuffers, heapUsed } = process.memoryUsage();
  return external + arrayBuffers + heapUsed;
}

/** Streams chunks into a connection; returns how the event loop and the memory fared. */
async function flood(
  chunks: Iterable<Buffer>,
): Promise<{ lagMs: number; grownBytes: number; strays: [number, boolean][]; faults: string[] }> {
  const [transport] = memoryTransportPair();
  const strays: [number, boolean][] = [];
  const faults: string[] = [];
  const connection = connect(
    { input: Readable.from(chunks), output: transport.output },
    {
      framing: 'ndjson',
      onStray: (_line, { bytes, cut }) => strays.push([bytes, cut]),
      onFault: ({ kind }) => faults.push(kind),
    },
  );
  const before = usedBytes();
  let lagMs = 0;
  let grownBytes = 0;
  let open = true;
  const done = connection.closed.then(() => {
    open = false;
  });
  while (open) {
    const started = performance.now();
    await settled(1);
    lagMs = Math.max(lagMs, performance.now() - started);
    if (usedBytes() - before < 40 * mebibyte) continue;
    // What nobody holds any more does not count.
    collectGarbage();
    grownBytes = Math.max(grownBytes, usedBytes() - before);
  }
  await done;
  return { lagMs, grownBytes, strays, faults };
}

function* repeated(unit: string, bytes: number, before = '', after = ''): Generator<Buffer> {
  const chunk = Buffer.from(unit.repeat(65_536 / unit.length));
  if (before !== '') yield Buffer.from(before);
  for (let sent = 0; sent < bytes; sent += chunk.length) yield Buffer.from(chunk);
  if (after !== '') yield Buffer.from(after);
}

// The guards are far above what is measured (a few milliseconds), and far below what a quadratic reader takes.
for (const [name, before, after, faults, strays] of [
  ['100 MB without a newline', '', '', [], [[100 * mebibyte, true]]],
  ['a message of 100 MB', '{"jsonrpc":"2.0","id":1,"method":"x","params":{"x":"', '"}}\n', ['oversized_request'], []],
  ['a frame of 100 MB', `Content-Length: ${100 * mebibyte + 1}\r\n\r\n{`, '', ['oversized_request'], []],
] as const) {
  test(`${name}: memory stays flat and the event loop runs`, async () => {
    const result = await flood(repeated('a', 100 * mebibyte, before, after));
    assert.deepEqual(result.faults, faults);
    assert.deepEqual(result.strays, strays);
    assert.ok(result.grownBytes < 80 * mebibyte, `grew by ${result.grownBytes / mebibyte} MiB`);
    assert.ok(result.lagMs < 1000, `blocked for ${result.lagMs} ms`);
  });
}

test('one huge chunk is handled in turns, so that the event loop runs', async () => {
  const result = await flood([Buffer.from('{"jsonrpc":"2.0","method":"nope"}\n'.repeat(100_000))]);
  assert.equal(result.faults.length, 100_000);
  assert.ok(result.lagMs < 1000, `blocked for ${result.lagMs} ms`);
});

test('a message of brackets or of keys is refused before JSON.parse takes a second for it', async () => {
  const peer = rawPeer();
  for (const unit of ['[],', '{},', '1,']) {
    await peer.send(
      `{"jsonrpc":"2.0","id":1,"method":"x","params":{"a":[${unit.repeat((7 * mebibyte) / unit.length)}1]}}\n`,
    );
  }
  assert.deepEqual(peer.faultKinds, ['oversized_request', 'oversized_request', 'oversized_request']);
  peer.connection.close();
});

test('a peer that sends faster than its messages are handled has to wait', async () => {
  let handled = 0;
  const peer = rawPeer({
    limits: { inboundMessages: 10 },
    notifications: { note: onNotification(note, () => void handled++) },
  });
  const line = `${JSON.stringify({ jsonrpc: '2.0', method: 'note', params: { x: 'x'.repeat(100) } })}\n`;
  peer.input.write(line.repeat(1000));
  await settled(1);
  assert.ok(handled <= 30, `${handled} at once`);
  assert.equal(peer.connection.paused, true);
  let accepted = 0;
  while (peer.input.write(line) && accepted < 10_000) accepted++;
  assert.ok(accepted < 10_000);
  await settled(300);
  assert.equal(handled, 1000 + accepted + 1);
  assert.equal(peer.connection.paused, false);
  peer.connection.close();
});

test('input that waits for its turn is handled before the end of the input counts', async () => {
  let handled = 0;
  const peer = rawPeer({
    limits: { inboundMessages: 2 },
    notifications: { note: onNotification(note, () => void handled++) },
  });
  peer.input.end('{"jsonrpc":"2.0","method":"note"}\n'.repeat(100));
  await peer.connection.closed;
  assert.equal(handled, 100);
});

test('a stray print costs no message in either framing', async () => {
  const peer = rawPeer();
  const calls = [0, 1, 2].map(() => peer.connection.call(ping, {}));
  await peer.send('hello\n');
  await peer.send(framed({ jsonrpc: '2.0', id: 0, result: {} }));
  await peer.send('warning: x: y\n{"jsonrpc":"2.0","id":1,"result":{}}\nloading 50%');
  await peer.send(framed({ jsonrpc: '2.0', id: 2, result: {} }));
  await Promise.all(calls);
  assert.deepEqual(peer.strays, ['hello', 'warning: x: y', 'loading 50%']);
  assert.equal(peer.connection.counters.strayLines, 3);
  peer.connection.close();
});

test('the time of the last message is that of a message, not of a print', async () => {
  const peer = rawPeer();
  await peer.clock.advance(100);
  await peer.send('print\n');
  assert.equal(peer.connection.lastMessageAtMs, 0);
  await peer.send({ jsonrpc: '2.0', method: 'x' });
  assert.equal(peer.connection.lastMessageAtMs, 100);
  peer.connection.close();
});

test('half a message and silence leave no timer behind', async () => {
  const [transport, other] = memoryTransportPair();
  const connection = connect(transport, { framing: 'ndjson' });
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  other.output.write('Content-Length: 100\r\n\r\n{"jsonrpc":');
  await settled();
  assert.equal(timers(), before);
  connection.close();
  await connection.closed;
  assert.equal(timers(), before);
});
