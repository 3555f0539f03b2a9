import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RpcError, wireErrorData, wireErrorName, wireErrors } from '@mmm/protocol';

test('every wire error has its number', () => {
  const numbers = Object.fromEntries(Object.entries(wireErrors).map(([name, { code }]) => [name, code]));
  assert.deepEqual(numbers, {
    ParseError: -32700,
    InvalidRequest: -32600,
    MethodNotFound: -32601,
    InvalidParams: -32602,
    InternalError: -32603,
    RequestCancelled: -32800,
    NotInitialized: -32050,
    PermissionDenied: -32051,
    Timeout: -32052,
    Busy: -32053,
    MessageTooLarge: -32054,
    InvalidConfig: -32055,
    UnknownCapability: -32056,
    NotInteractive: -32057,
    PluginUnavailable: -32058,
    VersionConflict: -32059,
    QuotaExceeded: -32060,
    UnsupportedMessage: -32061,
    NetworkFailed: -32062,
    StorageFailed: -32063,
  });
});

test('the kind of a wire error is its name in snake case', () => {
  for (const [name, { kind }] of Object.entries(wireErrors)) {
    assert.equal(kind, name.replace(/(?<=[a-z])[A-Z]/g, (letter) => `_${letter}`).toLowerCase());
  }
});

test('a wire error carries its kind, whether it may be tried again, and details only when there are some', () => {
  const plain = RpcError.of('Busy', 'too many calls');
  assert.deepEqual(plain.data, { kind: 'busy', retryable: true });
  assert.ok(plain.is('Busy') && !plain.is('Timeout'));
  const detailed = RpcError.of('VersionConflict', 'it is version 3', { version: 3 });
  assert.deepEqual(detailed.data, { kind: 'version_conflict', retryable: true, details: { version: 3 } });
  assert.ok(wireErrorData.safeParse(detailed.data).success);
});

test('a number leads back to its name, and a number of a plugin to none', () => {
  for (const [name, { code }] of Object.entries(wireErrors)) assert.equal(wireErrorName(code), name);
  assert.equal(wireErrorName(-1), undefined);
});
