import type { Contender } from '../contender.ts';
import { openHost } from '../stage.ts';

/** Everything: input and output checked by their schemas, queue, deadline, permissions, supervision, statistics. */
function wholeHost(name: string, confined: boolean): Contender {
  return {
    name,
    open: async (folder) => {
      const host = await openHost(folder, confined);
      const plugin = await host.plugin('echo');
      await plugin.start();
      const call = async (text: string) => {
        const { output } = await plugin.execute('run', { text });
        return (output as { text: string }).text.length;
      };
      return { call, close: () => host.close() };
    },
  };
}

export const unconfinedHost = wholeHost('mmm host, unconfined', false);
export const confinedHost = wholeHost('mmm host, confined', true);
