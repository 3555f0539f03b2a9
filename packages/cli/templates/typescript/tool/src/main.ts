import { definePlugin, PluginError, runPlugin } from '../vendor/mmm-plugin-sdk.cjs';
import { greeting } from './greeting.ts';

runPlugin(
  definePlugin({
    tools: {
      greet: {
        // The host has checked the input against schemas/greet.input.json.
        execute({ name }: { name: string }) {
          if (name.trim() === '') {
            throw new PluginError('The name is blank. Pass a real one.', { kind: 'invalid_params' });
          }
          return greeting(name);
        },
      },
    },
  }),
);
