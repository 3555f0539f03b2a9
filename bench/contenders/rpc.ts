import { pluginMethods } from '@mmm/protocol';
import { connect } from '@mmm/rpc';
import type { Contender } from '../contender.ts';
import { start } from '../programs.ts';

/** Our connection without the host around it: framing, limits, envelopes, deadlines and schemas of the wire. */
export const rpc: Contender = {
  name: 'mmm connection',
  open: async () => {
    const child = start('echo-lines.cjs');
    const connection = connect({ input: child.stdout, output: child.stdin }, { framing: 'ndjson' });
    const capability = { kind: 'tool' as const, name: 'run' };
    const caller = { kind: 'host' as const, id: 'bench' };
    const call = async (text: string) => {
      const context = { caller, timestamp: '2026-01-01T00:00:00.000Z', deadline_ms: 30_000 };
      while (connection.isFull) await connection.room();
      const result = await connection.call(
        pluginMethods.execute,
        { capability, input: { text }, context },
        { timeoutMs: 30_000, timeoutMaxMs: 600_000 },
      );
      return (result.output as { text: string }).text.length;
    };
    return { call, close: () => connection.close() };
  },
};
