import { fork as forkProcess } from 'node:child_process';
import type { Contender } from '../contender.ts';
import { environment, program } from '../programs.ts';

export const fork: Contender = {
  name: 'fork IPC',
  open: async () => {
    const child = forkProcess(program('echo-fork.cjs'), [], { env: environment, execArgv: [] });
    const pending = new Map<number, (output: { text: string }) => void>();
    let nextId = 0;
    child.on('message', (message) => {
      const { id, output } = message as { id: number; output: { text: string } };
      pending.get(id)?.(output);
      pending.delete(id);
    });
    const call = (text: string) => {
      return new Promise<number>((resolve) => {
        const id = nextId++;
        pending.set(id, (output) => resolve(output.text.length));
        child.send({ id, input: { text } });
      });
    };
    return { call, close: () => child.disconnect() };
  },
};
