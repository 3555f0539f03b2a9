// A host that emits without pause, to be killed: prints the id of each event that was acknowledged. A plugin of its own
// process writes down what it is told.
import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { createHost } from '@mmm/host';
import { definePlugin, serve } from '@mmm/plugin-sdk';

const [home = '', run = '', mode = ''] = process.argv.slice(2);
/** Emitted at one time, so that several share a transaction. */
const atOnce = 20;

const host = await createHost({ home, searchPath: [] });
const listener = definePlugin({
  handleEvent: ({ id, source, data }) => {
    appendFileSync(join(home, 'heard.log'), `${id} ${source} ${(data as { n: number }).n}\n`);
    return undefined;
  },
});
await host.register({
  manifest: {
    schema: 1,
    plugin: { name: 'listener', version: '1.0.0', description: 'Hears', license: 'MIT', command: ['in-process'] },
    capabilities: [],
    subscriptions: { events: ['load.*'] },
  },
  serve: (transport) => void serve(listener, transport),
});

if (mode === 'drain') {
  await host.events.deliver();
  await host.close();
} else {
  let n = 0;
  for (;;) {
    const batch = Array.from({ length: atOnce }, () => host.emit('load.event', { n: n++ }, { source: `run${run}` }));
    for (const [index, { id }] of (await Promise.all(batch)).entries()) {
      process.stdout.write(`${id} ${n - atOnce + index}\n`);
    }
  }
}
