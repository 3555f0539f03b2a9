import assert from 'node:assert/strict';
import { test } from 'node:test';
import { MmmError, RpcError } from '@mmm/protocol';
import { relayedError } from '../../../../packages/host/src/host-api/relayed-error.ts';

function relayed(error: unknown): RpcError {
  const told = relayedError(error, 'b');
  assert.ok(told instanceof RpcError, String(told));
  return told;
}

test('the words of the other plugin pass, those of the host about it do not', () => {
  const own = RpcError.of('VersionConflict', 'mine', { at: 1 });
  const data = { plugin: 'b', method: 'execute', rpcCode: own.code, rpcData: own.data };
  assert.equal(relayed(new MmmError('CALL_REJECTED', 'b refused', data, { cause: own })), own);
  const exited = new MmmError('PLUGIN_EXITED', 'b ended. Its last lines:\nsecret of /home/ada', {
    plugin: 'b',
    reason: { kind: 'exit', code: 1, stderrTail: 'secret of /home/ada' },
  });
  const told = relayed(exited);
  assert.ok(told.is('PluginUnavailable'));
  assert.equal(JSON.stringify([told.message, told.data]).includes('secret'), false);
  const unknown = relayed(new MmmError('SIGNATURE_MISSING', 'at /home/ada', { plugin: 'b', directory: '/home/ada' }));
  assert.equal(JSON.stringify([unknown.message, unknown.data]).includes('/home'), false);
});

test('each cause has the number that its receiver can act on', () => {
  const issues = [{ path: 'input.x', message: 'is required' }];
  const causes: readonly (readonly [MmmError, Parameters<RpcError['is']>[0]])[] = [
    [new MmmError('INPUT_INVALID', '', { plugin: 'b', capability: 'c', issues }), 'InvalidParams'],
    [new MmmError('CALL_TIMEOUT', '', { plugin: 'b', method: 'm', timeoutMs: 1 }), 'Timeout'],
    [new MmmError('CALL_CANCELLED', '', { plugin: 'b', method: 'm' }), 'RequestCancelled'],
    [new MmmError('BUSY', '', { plugin: 'b', queued: 1, queuedMax: 1 }), 'Busy'],
    [new MmmError('RESULT_INVALID', '', { plugin: 'b', method: 'm', issues }), 'InternalError'],
    [new MmmError('CAPABILITY_NOT_FOUND', '', { plugin: 'b', capability: 'c', known: [] }), 'UnknownCapability'],
    [new MmmError('PLUGIN_NOT_FOUND', '', { plugin: 'b', known: ['others'] }), 'PluginUnavailable'],
    [new MmmError('HOST_CLOSED', '', {}), 'PluginUnavailable'],
  ];
  for (const [error, name] of causes) assert.ok(relayed(error).is(name), error.code);
  assert.match(JSON.stringify(relayed(causes[0]?.[0]).data), /input\.x/);
  assert.equal(JSON.stringify(relayed(causes[6]?.[0]).data).includes('others'), false);
});
