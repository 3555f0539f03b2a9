import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PermissionRequest, Prompter } from '../../../../packages/host/src/clients/prompter.ts';
import { CallScopes } from '../../../../packages/host/src/daemon/call-scope.ts';

const request = { plugin: 'pet', version: '1.0.0', publisher: null, fingerprint: null, items: [] } as PermissionRequest;

function prompterOf(asked: string[], name: string): Prompter {
  return {
    ask: async () => {
      asked.push(name);
      return 'deny';
    },
  };
}

test('of two calls at once each one asks its own client', async () => {
  const scopes = new CallScopes();
  const asked: string[] = [];
  await Promise.all(
    ['left', 'right'].map((name) =>
      scopes.run({ prompter: prompterOf(asked, name) }, async () => {
        await Promise.resolve();
        await scopes.prompter.ask(request);
        asked.push(`${name} went on`);
      }),
    ),
  );
  assert.deepEqual(asked.sort(), ['left', 'left went on', 'right', 'right went on']);
});

test('a client who cannot be asked is not answered for by another one', async () => {
  const scopes = new CallScopes();
  const asked: string[] = [];
  let finish: () => void = () => undefined;
  const other = scopes.run({ prompter: prompterOf(asked, 'other') }, async () => {
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
  });
  await scopes.run({ prompter: undefined }, async () => {
    await assert.rejects(scopes.prompter.ask(request), /nobody is there/);
  });
  finish();
  await other;
  assert.deepEqual(asked, []);
});

test('nobody is asked for what no call is open for', async () => {
  const scopes = new CallScopes();
  const asked: string[] = [];
  await scopes.run({ prompter: prompterOf(asked, 'gone') }, async () => undefined);
  await assert.rejects(scopes.prompter.ask(request), /nobody is there/);
  assert.deepEqual(asked, []);
});
