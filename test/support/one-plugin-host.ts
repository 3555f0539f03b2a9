// A host with one plugin, to be killed: prints "ready" when the plugin is.
import { systemClock } from '@mmm/rpc';
import { spawn } from '../../packages/host/src/spawn/spawn.ts';
import { confineFixture } from './launch-fixture.ts';

const { bundle, data, level } = JSON.parse(process.env['FIXTURE'] ?? '{}') as {
  bundle: string;
  data: string;
  level: string;
};
const command = await confineFixture(
  { after: () => undefined },
  {
    bundle,
    command: ['python3', 'main.py', 'stay'],
    machine: { dataDirectory: data, allowNone: level === 'none' },
  },
);
await spawn(command, { plugin: 'fixture', clock: systemClock, onLine: (_stream, line) => console.log(line) });
