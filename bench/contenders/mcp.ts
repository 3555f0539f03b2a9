import { EventEmitter } from 'node:events';
import { Client } from '@modelcontextprotocol/client';
import { StdioClientTransport } from '@modelcontextprotocol/client/stdio';
import type { Contender } from '../contender.ts';
import { environment, program } from '../programs.ts';

export const mcp: Contender = {
  name: 'MCP SDK over stdio',
  open: async () => {
    // Its transport waits for the drained pipe once for each call in flight, and Node warns about that.
    EventEmitter.defaultMaxListeners = 1000;
    const transport = new StdioClientTransport({
      command: process.execPath,
      args: [program('echo-lines.cjs')],
      env: environment,
    });
    const client = new Client({ name: 'bench', version: '1.0.0' });
    await client.connect(transport);
    const call = async (text: string) => {
      const { content } = await client.callTool({ name: 'run', arguments: { text } });
      const [first] = content;
      return first?.type === 'text' ? first.text.length : -1;
    };
    return { call, close: () => client.close() };
  },
};
