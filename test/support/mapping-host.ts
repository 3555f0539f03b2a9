// A host that runs the mappings of a home, to be killed: prints what its plugins log.
import { createHost } from '@mmm/host';

const home = process.argv[2] ?? '';
const onLog = (plugin: string, { message }: { message: string }): void => console.log(`${plugin} ${message}`);
const host = await createHost({ home, onLog });
await host.mappings.run();
