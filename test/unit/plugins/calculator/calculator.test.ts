import assert from 'node:assert/strict';
import { it } from 'node:test';
import { RpcError } from '@mmm/plugin-sdk';
import { testPlugin } from '@mmm/plugin-sdk/testing';
import { calculator } from '../../../../plugins/calculator/src/calculator.ts';

it('calculator answers with a number', async () => {
  const host = await testPlugin(calculator);
  assert.equal(await host.execute('calculate', { expression: '2+2*3' }), 8);
  await host.shutdown();
});

it('calculator answers InvalidParams with the position of the mistake', async () => {
  const host = await testPlugin(calculator);
  await assert.rejects(host.execute('calculate', { expression: '2+*3' }), (error) => {
    assert.ok(error instanceof RpcError && error.is('InvalidParams'));
    assert.match(error.message, /found "\*" at position 3/);
    assert.deepEqual(error.data, { kind: 'invalid_params', retryable: false, details: { position: 3 } });
    return true;
  });
  await host.shutdown();
});
