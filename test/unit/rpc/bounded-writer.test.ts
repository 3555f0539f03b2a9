import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { test } from 'node:test';
import { method, notification, wireErrors } from '@mmm/protocol';
import { CallFailed, connect, memoryTransportPair, onRequest } from '@mmm/rpc';
import * as z from 'zod';
import { FakeClock, settled } from '../../support/fake-clock.ts';

const anything = z.looseObject({});
const work = method('work', '', anything, anything);
const note = notification('note', '', anything);

/** A peer that takes nothing until it is told to. */
class Unread extends Writable {
  readonly taken: string[] = [];
  #take: (() => void) | undefined;

  constructor() {
    super({ highWaterMark: 1024 });
  }

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.#take = () => {
      this.taken.push(chunk.toString());
      done();
    };
  }

  async take(): Promise<void> {
    const take = this.#take;
    this.#take = undefined;
    take?.();
    await settled();
  }
}

function unreadPeer(limits: object = {}, requests = {}, holdsDeadlines = () => false) {
  const [transport, other] = memoryTransportPair();
  const output = new Unread();
  const clock = new FakeClock();
  const faults: string[] = [];
  const connection = connect(
    { input: transport.input, output },
    { framing: 'ndjson', clock, limits, requests, holdsDeadlines, onFault: ({ kind }) => void faults.push(kind) },
  );
  return { connection, output, clock, faults, write: (text: string) => other.output.write(text) };
}

test('calls to a peer that does not read fail as busy beyond the bytes, and go again after it read', async () => {
  const { connection, output } = unreadPeer({ outboundBytes: 10_000 });
  const first = connection.call(work, { x: 'x'.repeat(20_000) });
  first.catch(() => {});
  assert.equal(connection.isFull, true);
  await assert.rejects(connection.call(work, {}), (error) => error instanceof CallFailed && error.reason === 'busy');
  connection.notify(note, {});
  await settled();
  assert.equal(connection.counters.dropped, 1);
  let room = false;
  const waiting = connection.room().then(() => {
    room = true;
  });
  await settled();
  assert.equal(room, false);
  await output.take();
  await waiting;
  connection.call(work, {}).catch(() => {});
  await settled();
  await output.take();
  assert.equal(output.taken.length, 2);
  connection.close();
});

test('calls to a peer that does not read fail as busy beyond the number of messages', async () => {
  const { connection } = unreadPeer({ outboundMessages: 3 });
  connection.call(work, { x: 'x'.repeat(2000) }).catch(() => {});
  await settled();
  connection.call(work, {}).catch(() => {});
  connection.call(work, {}).catch(() => {});
  await assert.rejects(connection.call(work, {}), { reason: 'busy' });
  connection.close();
});

test('a peer that does not read for the deadline ends the connection as unresponsive', async () => {
  const { connection, clock, output } = unreadPeer({ writeDeadlineMs: 1000 });
  const call = connection.call(work, { x: 'x'.repeat(5000) });
  call.catch(() => {});
  await settled();
  await clock.advance(900);
  await output.take();
  connection.call(work, { x: 'x'.repeat(5000) }).catch(() => {});
  await settled();
  await clock.advance(900);
  assert.equal(connection.inFlight, 2);
  await clock.advance(100);
  await assert.rejects(call, { reason: 'closed', message: /did not read its input for 1000 ms/ });
  assert.equal((await connection.closed).kind, 'unresponsive');
  assert.equal(clock.waiting, 0);
});

test('a peer that is held up by a debugger may be as late to read as it likes', async () => {
  let held = true;
  const { connection, clock } = unreadPeer({ writeDeadlineMs: 1000 }, {}, () => held);
  connection.call(work, { x: 'x'.repeat(5000) }).catch(() => {});
  await settled();
  await clock.advance(60_000);
  assert.equal(connection.isClosed, false);
  held = false;
  await clock.advance(1000);
  assert.equal((await connection.closed).kind, 'unresponsive');
});

test('a peer that asks and does not read the answers is not read any further', async () => {
  let handled = 0;
  const handler = onRequest(work, () => {
    handled++;
    return { x: 'x'.repeat(1000) };
  });
  const { connection, write, output } = unreadPeer({ outboundBytes: 20_000, inboundMessages: 16 }, { work: handler });
  const request = (id: number): string => `{"jsonrpc":"2.0","id":${id},"method":"work"}\n`;
  for (let id = 0; id < 1000; id++) write(request(id));
  await settled(100);
  assert.ok(handled < 40, `${handled} requests were handled`);
  assert.equal(connection.paused, true);
  for (let turn = 0; turn < 200; turn++) await output.take();
  assert.equal(handled, 1000);
  assert.equal(connection.paused, false);
  connection.close();
});

test('answers that nobody reads are replaced by errors before memory grows', async () => {
  const finish: ((value: Record<string, unknown>) => void)[] = [];
  const handler = onRequest(work, () => new Promise((resolve) => finish.push(resolve)));
  const { connection, write, output } = unreadPeer({}, { work: handler });
  for (let id = 0; id < 12; id++) write(`{"jsonrpc":"2.0","id":${id},"method":"work"}\n`);
  await settled();
  const large = 'x'.repeat(8 * 1024 * 1024 - 1000);
  for (const run of finish) run({ large });
  await settled();
  for (let turn = 0; turn < 5; turn++) await output.take();
  const last = output.taken.join('').trimEnd().split('\n').at(-1) ?? '';
  assert.equal((JSON.parse(last) as { error: { code: number } }).error.code, wireErrors.Busy.code);
  connection.close();
});
