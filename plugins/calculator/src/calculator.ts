import { definePlugin, PluginError } from '@mmm/plugin-sdk';
import { ExpressionError, evaluate } from './evaluate.ts';

export const calculator = definePlugin({
  name: 'calculator',
  version: '1.0.0',
  tools: {
    calculate: {
      execute({ expression }: { expression: string }) {
        try {
          return evaluate(expression);
        } catch (error) {
          if (!(error instanceof ExpressionError)) throw error;
          throw new PluginError(error.message, { kind: 'invalid_params', details: { position: error.position } });
        }
      },
    },
  },
});
