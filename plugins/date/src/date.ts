import { definePlugin, type Plugin } from '@mmm/plugin-sdk';
import { type AddInput, add } from './add.ts';
import { type DifferenceInput, difference } from './difference.ts';
import { type NowInput, now } from './now.ts';

/** The plugin over a clock that returns milliseconds since 1970. */
export function datePlugin(clock: () => number): Plugin {
  return definePlugin({
    name: 'date',
    version: '1.0.0',
    tools: {
      now: { execute: (input: NowInput) => now(input, clock()) },
      add: { execute: (input: AddInput) => add(input) },
      difference: { execute: (input: DifferenceInput) => difference(input) },
    },
  });
}
