import type { Contender } from '../contender.ts';
import { start } from '../programs.ts';

/** The host somebody writes in an hour: one JSON a line, no limits, no checks, no deadlines, no exit handling. */
export const ndjson: Contender = {
  name: 'hand-written ndjson',
  open: async () => {
    const child = start('echo-lines.cjs');
    const pending = new Map<number, (output: { text: string }) => void>();
    let nextId = 0;
    let rest = '';
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const { id, result } = JSON.parse(line) as { id: number; result: { output: { text: string } } };
        pending.get(id)?.(result.output);
        pending.delete(id);
      }
    });
    const call = (text: string) => {
      return new Promise<number>((resolve) => {
        const id = nextId++;
        pending.set(id, (output) => resolve(output.text.length));
        const message = { jsonrpc: '2.0', id, method: 'execute', params: { input: { text } } };
        child.stdin.write(`${JSON.stringify(message)}\n`);
      });
    };
    return { call, close: () => void child.stdin.end() };
  },
};
