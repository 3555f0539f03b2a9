// A host that starts one plugin with nothing that ties it to us, to be killed: prints "ready" when the plugin has.
import { systemClock } from '@mmm/rpc';
import { ProcessRecords } from '../../packages/host/src/processes/process-records.ts';
import { nothingEnforced } from '../../packages/host/src/sandbox/none.ts';
import { spawn } from '../../packages/host/src/spawn/spawn.ts';

const { run, bundle, data } = JSON.parse(process.env.FIXTURE ?? '{}') as {
  run: string;
  bundle: string;
  data: string;
};
await spawn(
  {
    level: 'none',
    mechanism: 'none',
    file: '/usr/bin/python3',
    args: [`${bundle}/main.py`, 'stay'],
    env: { PATH: '/usr/bin:/bin', HOME: data, MMM_PLUGIN: 'leaves_grandchildren' },
    cwd: bundle,
    descriptors: [],
    statusDescriptor: null,
    shown: [],
    bindsDescriptors: false,
    blockDescriptor: null,
    egress: null,
    pluginDirectory: bundle,
    dataDirectory: data,
    uid: process.getuid?.() ?? 0,
    enforcement: nothingEnforced,
  },
  {
    plugin: 'leaves_grandchildren',
    clock: systemClock,
    records: new ProcessRecords(run),
    onLine: (_stream, line) => console.log(line),
  },
);
