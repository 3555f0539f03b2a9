import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { type CallContext, definePlugin, type Plugin, RpcError } from '@mmm/plugin-sdk';
import { testPlugin } from '@mmm/plugin-sdk/testing';

function plugin(execute: (input: unknown, context: CallContext) => unknown): Plugin {
  return definePlugin({ name: 'p', tools: { run: { execute } } });
}

describe('the context of a call', () => {
  it('aborts its signal when the caller gives up', async () => {
    const abort = new AbortController();
    let reason: unknown;
    let started = (): void => undefined;
    const running = new Promise<void>((resolve) => {
      started = resolve;
    });
    const host = await testPlugin(
      plugin(
        (_, { signal }) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              reason = signal.reason;
              reject(signal.reason);
            });
            started();
          }),
      ),
    );
    const call = host.execute('run', {}, { signal: abort.signal });
    await running;
    abort.abort();
    await assert.rejects(call);
    await host.request('ping', {});
    assert.ok(reason instanceof Error);
    await host.shutdown();
  });
  it('tells who called and what triggered it', async () => {
    const host = await testPlugin(plugin((_, { call }) => [call.caller.kind, call.velocity, call.current_mode?.name]));
    const context = { velocity: 99, current_mode: { index: 1, name: 'mix' } };
    assert.deepEqual(await host.execute('run', {}, { context }), ['host', 99, 'mix']);
    await host.shutdown();
  });
  it('reports progress and streams chunks in order, all before the answer', async () => {
    const seen: unknown[] = [];
    const host = await testPlugin(
      plugin(async (_, { report, chunk }) => {
        report('half', 0.5);
        for (let number = 0; number < 200; number += 1) await chunk(number);
        // Not awaited: the answer waits for it.
        void chunk('last');
        return 'done';
      }),
    );
    const listeners = { onReport: (report: object) => seen.push(report), onChunk: (data: unknown) => seen.push(data) };
    assert.equal(await host.execute('run', {}, listeners), 'done');
    assert.deepEqual(seen[0], { message: 'half', fraction: 0.5 });
    assert.deepEqual(seen.slice(1), [...Array.from({ length: 200 }, (_, number) => number), 'last']);
    await host.shutdown();
  });
});

describe('the host, as a handler sees it', () => {
  it('logs with a level and fields', async () => {
    const host = await testPlugin(
      plugin((_, { log }) => {
        log.info('one');
        log.error('two', { code: 2 });
      }),
    );
    await host.execute('run');
    assert.deepEqual(host.logs, [
      { level: 'info', message: 'one', fields: {} },
      { level: 'error', message: 'two', fields: { code: 2 } },
    ]);
    await host.shutdown();
  });
  it('emits events', async () => {
    const host = await testPlugin(plugin((_, { emit }) => emit('saved', { file: 'a' })));
    assert.equal(await host.execute('run'), 'event-1');
    assert.deepEqual(host.events, [{ type: 'saved', data: { file: 'a' } }]);
    await host.shutdown();
  });
  it('asks the host for anything by the name of the protocol', async () => {
    const host = await testPlugin(
      plugin(async (_, context) => (await context.host('prompt_user', { message: 'Sure?', kind: 'confirm' })).answer),
      { host: { prompt_user: ({ message, kind }) => ({ answer: `${message} ${kind}` }) } },
    );
    assert.equal(await host.execute('run'), 'Sure? confirm');
    await host.shutdown();
  });
  it("rejects with the host's error, which becomes the call's own when nobody catches it", async () => {
    const host = await testPlugin(
      plugin((_, context) => context.host('get_spec', { name: 's' })),
      {
        host: {
          get_spec: () => {
            throw RpcError.of('PermissionDenied', 'not granted');
          },
        },
      },
    );
    await assert.rejects(host.execute('run'), (error) => error instanceof RpcError && error.is('PermissionDenied'));
    await host.shutdown();
  });
  it('shows the permissions as they are now', async () => {
    const host = await testPlugin(
      plugin((_, { permissions }) => permissions),
      { permissions: { state: [{ scope: 'global' }] } },
    );
    assert.deepEqual(await host.execute('run'), { state: [{ scope: 'global' }] });
    host.changePermissions({});
    assert.deepEqual(await host.execute('run'), {});
    await host.shutdown();
  });
});

describe('events, as a handler sees them', () => {
  it('subscribes to events for as long as it runs', async () => {
    const asked: string[] = [];
    const note = (what: string) => (params: { readonly type: string }) => {
      asked.push(`${what} ${params.type}`);
      return {};
    };
    const host = await testPlugin(
      plugin(async (_, { subscribe, unsubscribe }) => {
        await subscribe('build.*');
        await unsubscribe('build.*');
      }),
      { host: { subscribe_to_event: note('begin'), unsubscribe_from_event: note('end') } },
    );
    await host.execute('run');
    assert.deepEqual(asked, ['begin build.*', 'end build.*']);
    await host.shutdown();
  });
});

describe('state, as a handler sees it', () => {
  it('keeps state with versions', async () => {
    const host = await testPlugin(
      plugin(async (_, { state, projectState }) => {
        const first = await state.set('count', 1);
        const second = await state.set('count', 2, { ifVersion: first });
        await assert.rejects(
          state.set('count', 3, { ifVersion: first }),
          (error) => error instanceof RpcError && error.is('VersionConflict'),
        );
        const [, checked] = await state.update([
          { op: 'set', key: 'other', value: 'x' },
          { op: 'check', key: 'count', if_version: second },
        ]);
        const listed = await state.list('c');
        const read = await state.read('count');
        await state.delete('count');
        return [
          second,
          checked,
          listed,
          read,
          (await state.get('count')) ?? 'absent',
          (await projectState.get('count')) ?? 'absent',
          // None that it had before: whoever read one of those does not overwrite this.
          await state.set('count', 3),
        ];
      }),
    );
    const expected = [2, 2, [{ key: 'count', version: 2 }], { value: 2, version: 2 }, 'absent', 'absent', 3];
    assert.deepEqual(await host.execute('run'), expected);
    await host.shutdown();
  });
});
