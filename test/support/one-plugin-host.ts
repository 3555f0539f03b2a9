// A host with one plugin, to be killed: prints "ready" when the plugin is.
import { systemClock } from '@mmm/rpc';
import { probeSandbox } from '../../packages/host/src/sandbox/probe.ts';
import { spawn } from '../../packages/host/src/spawn/spawn.ts';
import { confineFixture, launchUid, openFolder } from './launch-fixture.ts';

const { bundle, data, level, namespaces } = JSON.parse(process.env.FIXTURE ?? '{}') as {
  bundle: string;
  data: string;
  level: 'process' | 'none' | 'landlock';
  namespaces?: boolean;
};
const t = { after: () => undefined };

/** As on a machine without bubblewrap. */
async function landlockOnly() {
  const home = openFolder(t, 0o700);
  const found = await probeSandbox({ uid: launchUid, home, nodePath: process.execPath, bubblewrap: null });
  const { helper } = found.tools;
  if (namespaces !== false || helper === null) return found;
  return { ...found, tools: { ...found.tools, helper: { ...helper, namespaces: false } } };
}

const command = await confineFixture(t, {
  bundle,
  command: ['python3', 'main.py', 'stay'],
  machine: {
    dataDirectory: data,
    allowNone: level === 'none',
    ...(level === 'landlock' ? { allowLandlock: true, probe: landlockOnly } : {}),
  },
});
await spawn(command, { plugin: 'fixture', clock: systemClock, onLine: (_stream, line) => console.log(line) });
