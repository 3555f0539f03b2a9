// A program that starts one plugin, prints what it inherited and what the plugin prints, and ends.
import { systemClock } from '@mmm/rpc';
import { inheritedDescriptors } from '../../packages/host/src/spawn/seal-descriptors.ts';
import { spawn } from '../../packages/host/src/spawn/spawn.ts';
import { confineFixture } from './launch-fixture.ts';

const cleanups: (() => void)[] = [];
const t = { after: (run: () => void) => void cleanups.push(run) };
const command = await confineFixture(t as never, JSON.parse(process.env.FIXTURE ?? '{}'));
console.log('host inherited', inheritedDescriptors().join(' '));
const child = await spawn(command, {
  plugin: 'fixture',
  clock: systemClock,
  onLine: (_stream, line) => console.log(line),
});
child.transport.input.on('data', (bytes: Buffer) => process.stdout.write(bytes)).resume();
await child.exited;
for (const run of cleanups) run();
