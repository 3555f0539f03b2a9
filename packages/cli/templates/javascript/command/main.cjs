// @ts-check
const { definePlugin, runPlugin } = require('./vendor/mmm-plugin-sdk.cjs');

runPlugin(
  definePlugin({
    commands: {
      greet: {
        execute({ args, options }) {
          if (args.length === 0) return { exit_code: 2, stdout: 'Name somebody to greet.\n' };
          const text = args.map((name) => `Hello, ${name}!\n`).join('');
          return { exit_code: 0, stdout: options.loud === true ? text.toUpperCase() : text };
        },
      },
    },
  }),
);
