import { pool as makePool } from 'workerpool';
import type { Contender } from '../contender.ts';
import { environment, program } from '../programs.ts';

/** One worker in a process of its own: a thread would share the host's fate. It works on one call at a time. */
export const workerpool: Contender = {
  name: 'workerpool',
  open: async () => {
    const workers = makePool(program('echo-worker.cjs'), {
      workerType: 'process',
      maxWorkers: 1,
      forkOpts: { env: environment, execArgv: [] },
    });
    const call = async (text: string) => {
      const output = (await workers.exec('echo', [{ text }])) as { text: string };
      return output.text.length;
    };
    return { call, close: async () => void (await workers.terminate()) };
  },
};
