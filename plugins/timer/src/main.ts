import { runPlugin } from '@mmm/plugin-sdk';
import { timerPlugin } from './timer.ts';

runPlugin(
  timerPlugin({
    now: () => Date.now(),
    after: (ms, run) => {
      const timer = setTimeout(run, ms);
      return () => clearTimeout(timer);
    },
  }),
);
