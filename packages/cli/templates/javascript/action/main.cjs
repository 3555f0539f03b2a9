// @ts-check
const { definePlugin, runPlugin } = require('./vendor/mmm-plugin-sdk.cjs');

runPlugin(
  definePlugin({
    actions: {
      greet: {
        /** @param {{ name: string }} input checked against schemas/greet.input.json before it gets here */
        execute({ name }, context) {
          // What set the action off is in context.call; without a key that was struck there is no velocity.
          const { velocity = 64 } = context.call;
          const greeting = `Hello, ${name}!`;
          return velocity > 100 ? greeting.toUpperCase() : greeting;
        },
      },
    },
  }),
);
