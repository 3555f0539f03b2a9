import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { definePlugin } from '@mmm/plugin-sdk';
import * as z from 'zod';

describe('definePlugin', () => {
  it('lists capabilities in the order of the kinds, then as written', () => {
    const plugin = definePlugin({
      hooks: { on_save: () => undefined },
      tools: { b: { execute: () => 1 }, a: { execute: () => 2 } },
      commands: { greet: { execute: () => ({ exit_code: 0 }) } },
    });
    assert.deepEqual(plugin.capabilities, [
      { kind: 'command', name: 'greet' },
      { kind: 'tool', name: 'b' },
      { kind: 'tool', name: 'a' },
      { kind: 'hook', name: 'on_save' },
    ]);
  });
  it('finds what can be executed, by kind and name', () => {
    const plugin = definePlugin({ tools: { same: { execute: () => 1 } }, hooks: { saved: () => undefined } });
    assert.ok(plugin.find('tool', 'same'));
    assert.equal(plugin.find('action', 'same'), undefined);
    assert.equal(plugin.find('hook', 'saved'), undefined);
    assert.equal(plugin.find('tool', 'constructor'), undefined);
  });
  it('refuses a capability without execute at once', () => {
    const tools = { broken: {} } as unknown as { broken: { execute(): number } };
    assert.throws(() => definePlugin({ tools }), /tools\.broken needs a function/);
  });
  it('infers inputs and the configuration', () => {
    definePlugin({
      config: z.object({ precision: z.number() }),
      tools: {
        // Types by a schema, by an annotation, and of a kind whose shape is fixed.
        schema: {
          input: z.object({ text: z.string() }),
          execute: (input, { config }) => input.text.length + config.precision,
        },
        annotation: {
          execute: (input: { flag: boolean }, context) => [input.flag, context.config.precision.toFixed()],
        },
        // @ts-expect-error The schema has no such field.
        wrong: { input: z.object({ text: z.string() }), execute: (input) => input.txet },
      },
      contexts: { notes: { execute: ({ query, limit = 1 }) => ({ items: [{ text: query, score: limit }] }) } },
      // @ts-expect-error A command answers with an exit code.
      commands: { greet: { execute: ({ args }) => ({ code: args.length }) } },
    });
  });
});
