import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as sdk from '@mmm/plugin-sdk';
import type * as vendored from '../../../packages/cli/templates/sdk/mmm-plugin-sdk.cjs';

/** Compiles when a value of the first type can stand where one of the second is expected. */
type Fits<From, To> = [From] extends [To] ? true : never;
type Config = { readonly unit: string };

/** What the SDK hands to an author's code is at least what the vendored types promise. */
const handed: {
  context: Fits<sdk.CallContext<Config>, vendored.CallContext<Config>>;
  session: Fits<sdk.PluginContext<Config>, vendored.PluginContext<Config>>;
} = { context: true, session: true };

/** What the vendored types let an author write is something the SDK takes. */
const taken: {
  definition: Fits<
    vendored.PluginDefinition<{ a: string }, { b: number }, Config>,
    sdk.PluginDefinition<{ a: string }, { b: number }, Config>
  >;
  schema: Fits<vendored.Schema<string>, sdk.Schema<string>>;
  error: Fits<ConstructorParameters<typeof vendored.PluginError>, ConstructorParameters<typeof sdk.PluginError>>;
} = { definition: true, schema: true, error: true };

test('the types that come with a new plugin agree with the SDK', () => {
  assert.deepEqual([...Object.values(handed), ...Object.values(taken)], [true, true, true, true, true]);
  const promised: { readonly [K in Exclude<keyof typeof vendored, 'default'>]: unknown } = {
    definePlugin: sdk.definePlugin,
    runPlugin: sdk.runPlugin,
    PluginError: sdk.PluginError,
  };
  for (const [name, value] of Object.entries(promised)) assert.equal(typeof value, 'function', name);
});
