import { definePlugin, runPlugin } from '../vendor/mmm-plugin-sdk.cjs';
import { greeting } from './greeting.ts';

runPlugin(
  definePlugin({
    actions: {
      greet: {
        // The host has checked the input against schemas/greet.input.json.
        execute({ name }: { name: string }, context) {
          // What set the action off is in context.call; without a key that was struck there is no velocity.
          const { velocity = 64 } = context.call;
          return velocity > 100 ? greeting(name).toUpperCase() : greeting(name);
        },
      },
    },
  }),
);
