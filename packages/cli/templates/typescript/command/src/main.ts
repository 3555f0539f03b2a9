import { definePlugin, runPlugin } from '../vendor/mmm-plugin-sdk.cjs';
import { greeting } from './greeting.ts';

runPlugin(
  definePlugin({
    commands: {
      greet: {
        execute({ args, options }) {
          if (args.length === 0) return { exit_code: 2, stdout: 'Name somebody to greet.\n' };
          const text = args.map((name) => `${greeting(name)}\n`).join('');
          return { exit_code: 0, stdout: options.loud === true ? text.toUpperCase() : text };
        },
      },
    },
  }),
);
