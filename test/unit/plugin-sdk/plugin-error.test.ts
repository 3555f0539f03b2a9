import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { RpcError, wireErrors } from '@mmm/protocol';
import { PluginError, toRpcError } from '../../../packages/plugin-sdk/src/plugin-error.ts';

describe('toRpcError', () => {
  it('gives every kind its number and its own retryable', () => {
    for (const { code, kind, retryable } of Object.values(wireErrors)) {
      const error = toRpcError(new PluginError('no', { kind }), false);
      assert.deepEqual([error.code, error.message, error.data], [code, 'no', { kind, retryable }]);
    }
  });
  it('lets the author decide retryable and add details', () => {
    const error = toRpcError(
      new PluginError('later', { kind: 'quota_exceeded', retryable: true, details: { in: 3 } }),
      false,
    );
    assert.deepEqual(error.data, { kind: 'quota_exceeded', retryable: true, details: { in: 3 } });
  });
  it('sends the message of any other error, never its stack', () => {
    const error = toRpcError(new TypeError('x is not a function'), false);
    assert.ok(error.is('InternalError'));
    assert.equal(error.message, 'x is not a function');
    assert.deepEqual(error.data, { kind: 'internal_error', retryable: false });
  });
  it('copes with whatever was thrown', () => {
    assert.equal(toRpcError('text', false).message, 'text');
    assert.equal(toRpcError(undefined, false).message, 'undefined');
    assert.match(toRpcError(new Error(''), false).message, /without a message/);
  });
  it('calls it cancelled when the call was cancelled', () => {
    assert.ok(toRpcError(new Error('socket closed'), true).is('RequestCancelled'));
  });
  it('keeps an error chosen by the author even then', () => {
    assert.ok(toRpcError(new PluginError('no', { kind: 'busy' }), true).is('Busy'));
    const own = RpcError.of('Timeout', 'no');
    assert.equal(toRpcError(own, true), own);
  });
});
