import type { Contender } from '../contender.ts';
import { start } from '../programs.ts';

/** Bytes there and back, nothing else: what no protocol can beat. */
export const pipe: Contender = {
  name: 'bare pipe',
  open: async () => {
    const child = start('echo-bytes.cjs');
    const waiting: { left: number; size: number; resolve: (length: number) => void }[] = [];
    child.stdout.on('data', (chunk: Buffer) => {
      let bytes = chunk.length;
      for (let first = waiting[0]; first !== undefined && bytes > 0; first = waiting[0]) {
        const taken = Math.min(bytes, first.left);
        first.left -= taken;
        bytes -= taken;
        if (first.left > 0) return;
        waiting.shift();
        first.resolve(first.size);
      }
    });
    const call = (text: string) => {
      return new Promise<number>((resolve) => {
        waiting.push({ left: text.length, size: text.length, resolve });
        child.stdin.write(text, 'latin1');
      });
    };
    return { call, close: () => void child.stdin.end() };
  },
};
