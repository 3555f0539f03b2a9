import { runPlugin } from '@mmm/plugin-sdk';
import { fileWatchPlugin } from './file-watch.ts';

runPlugin(
  fileWatchPlugin((ms, run) => {
    const timer = setTimeout(run, ms);
    return () => clearTimeout(timer);
  }),
);
