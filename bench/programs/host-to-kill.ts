// A host that runs every plugin of the home it is given, says so, and waits to be killed.
import { createHost, sealDescriptors } from '@mmm/host';

sealDescriptors();
const host = await createHost({ home: process.argv[2] ?? '' });
for (const { id } of await host.list()) await (await host.plugin(id)).execute('run', {});
console.log('ready');
