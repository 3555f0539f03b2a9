import assert from 'node:assert/strict';
import test from 'node:test';
import { MmmError, RpcError, type WireErrorName } from '@mmm/protocol';
import type { RequestEntry } from '@mmm/rpc';
import { type EventServices, eventRequests } from '../../../../packages/host/src/host-api/event-requests.ts';
import { hostLimits } from '../../../../packages/host/src/limits.ts';

interface Asked {
  readonly emitted: string[];
  readonly notes: string[];
  ask(method: 'emit_event' | 'subscribe_to_event', params: object): Promise<unknown>;
}

function asker(services: Partial<EventServices> = {}): Asked {
  const [emitted, notes]: [string[], string[]] = [[], []];
  const client = {
    requester: { plugin: 'mine', need: () => Promise.resolve() },
    life: {},
    note: (message: string) => void notes.push(message),
  };
  const requests = eventRequests(client, {
    begun: () => undefined,
    isPlugin: async (name) => name === 'other',
    depthOf: () => 0,
    mayEmit: () => true,
    emit: async (plugin, type, _data, depth) => {
      emitted.push(`${plugin} ${type} ${depth}`);
      return '1-a';
    },
    subscribe: () => true,
    unsubscribe: () => undefined,
    ...services,
  });
  return {
    emitted,
    notes,
    ask: async (method, params) => {
      const { handle } = requests[method] as RequestEntry & { handle(params: object, context: object): unknown };
      return await handle(params, { signal: new AbortController().signal });
    },
  };
}

const refusedAs = (name: WireErrorName) => (error: unknown) => error instanceof RpcError && error.is(name);

test('an event is emitted with the depth of what led to it', async () => {
  const { ask, emitted } = asker({ depthOf: () => hostLimits.eventDepth });
  assert.deepEqual(await ask('emit_event', { type: 'mine.x', data: 1 }), { id: '1-a' });
  assert.deepEqual(emitted, [`mine mine.x ${hostLimits.eventDepth}`]);
});

test('a loop, a flood and a name of somebody else are refused, and said once in the log', async () => {
  const loop = asker({ depthOf: () => hostLimits.eventDepth + 1 });
  for (const _ of [1, 2]) {
    await assert.rejects(loop.ask('emit_event', { type: 'mine.x', data: 1 }), refusedAs('QuotaExceeded'));
  }
  assert.equal(loop.notes.length, 1);
  assert.match(loop.notes[0] ?? '', /which is a loop/);
  const flood = asker({ mayEmit: () => false });
  await assert.rejects(flood.ask('emit_event', { type: 'mine.x', data: 1 }), refusedAs('QuotaExceeded'));
  const forger = asker();
  for (const type of ['other.x', 'plugin.started']) {
    await assert.rejects(forger.ask('emit_event', { type, data: 1 }), refusedAs('InvalidParams'));
  }
  assert.deepEqual([loop.emitted, flood.emitted, forger.emitted, forger.notes.length], [[], [], [], 1]);
});

test('what the journal refuses is told as what it is', async () => {
  const failing = (error: MmmError) => asker({ emit: () => Promise.reject(error) });
  const full = failing(new MmmError('STATE_UNREADABLE', 'disk full', { file: 'state.db', reason: 'full' }));
  await assert.rejects(full.ask('emit_event', { type: 'mine.x', data: 1 }), refusedAs('StorageFailed'));
  const large = failing(new MmmError('MESSAGE_TOO_LARGE', 'too large', { plugin: 'mine', method: 'x', bytesMax: 1 }));
  await assert.rejects(large.ask('emit_event', { type: 'mine.x', data: 1 }), refusedAs('MessageTooLarge'));
});

test('subscriptions are globs, and not without number', async () => {
  const { ask } = asker();
  assert.deepEqual(await ask('subscribe_to_event', { type: 'a.*' }), {});
  await assert.rejects(ask('subscribe_to_event', { type: 'a b' }), refusedAs('InvalidParams'));
  const full = asker({ subscribe: () => false });
  await assert.rejects(full.ask('subscribe_to_event', { type: 'a.*' }), refusedAs('QuotaExceeded'));
});
