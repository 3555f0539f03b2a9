import { createMessageConnection, StreamMessageReader, StreamMessageWriter } from 'vscode-jsonrpc/node';
import type { Contender } from '../contender.ts';
import { start } from '../programs.ts';

export const vscodeJsonrpc: Contender = {
  name: 'vscode-jsonrpc',
  open: async () => {
    const child = start('echo-frames.cjs');
    const connection = createMessageConnection(
      new StreamMessageReader(child.stdout),
      new StreamMessageWriter(child.stdin),
    );
    connection.listen();
    const call = async (text: string) => {
      const { output } = (await connection.sendRequest('execute', { input: { text } })) as { output: { text: string } };
      return output.text.length;
    };
    return {
      call,
      close: () => {
        connection.dispose();
        child.stdin.end();
      },
    };
  },
};
