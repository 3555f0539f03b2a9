// @ts-check
const { definePlugin, runPlugin, PluginError } = require('./vendor/mmm-plugin-sdk.cjs');

/** @param {{ name: string }} input checked against schemas/greet.input.json before it gets here */
function greet({ name }) {
  if (name.trim() === '') throw new PluginError('The name is blank. Pass a real one.', { kind: 'invalid_params' });
  return `Hello, ${name}!`;
}

runPlugin(
  definePlugin({
    tools: {
      greet: { execute: greet },
    },
  }),
);
