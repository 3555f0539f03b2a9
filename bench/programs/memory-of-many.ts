// Runs every plugin of the home it is given and prints what the host has more for each of them. A process of its own:
// what was used before, to install them, would be what is measured.
import { setTimeout } from 'node:timers/promises';
import { createHost, sealDescriptors } from '@mmm/host';

/** What is loaded for the first ones is not theirs. */
const warmUp = 10;

sealDescriptors();
const host = await createHost({ home: process.argv[2] ?? '' });
const ids = (await host.list()).map(({ id }) => id);
const start = async (some: readonly string[]) => {
  for (const id of some) await (await host.plugin(id)).execute('run', {});
};
await start(ids.slice(0, warmUp));
const before = await memoryNow();
await start(ids.slice(warmUp));
const after = await memoryNow();
const count = ids.length - warmUp;
console.log(
  JSON.stringify({
    residentKb: (after.residentKb - before.residentKb) / count,
    heapKb: (after.heapKb - before.heapKb) / count,
  }),
);
await host.close();

/** After several collections: what is kept, not what was used on the way. */
async function memoryNow() {
  for (let pass = 0; pass < 3; pass += 1) {
    globalThis.gc?.();
    await setTimeout(200);
  }
  const { rss, heapUsed, external } = process.memoryUsage();
  return { residentKb: rss / 1024, heapKb: (heapUsed + external) / 1024 };
}
