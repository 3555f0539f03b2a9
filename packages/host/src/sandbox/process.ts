import type { Permission } from '@mmm/protocol';
import { pluginEnvironment } from './environment.ts';
import type { LaunchCommand } from './launch-command.ts';
import { bubblewrapProfile, insidePaths, type ProfileParts } from './profile.ts';

export interface ProcessLaunch extends ProfileParts {
  readonly plugin: string;
  /** Absolute path of a bubblewrap that was seen to work. */
  readonly bubblewrap: string;
  readonly granted: readonly Permission[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Level `process`: the plugin inside bubblewrap. Pure, but for what it was given. */
export function processCommand(launch: ProcessLaunch): LaunchCommand {
  const profile = bubblewrapProfile(launch);
  return {
    level: 'process',
    mechanism: 'bubblewrap',
    file: launch.bubblewrap,
    args: profile.args,
    // bubblewrap is process 1 of the sandbox and its environment is readable there, so it gets the plugin's and no more.
    env: pluginEnvironment({
      plugin: launch.plugin,
      home: insidePaths.data,
      temporary: insidePaths.temporary,
      directory: insidePaths.plugin,
      granted: launch.granted,
      host: launch.environment,
    }),
    cwd: '/',
    descriptors: profile.descriptors,
    statusDescriptor: profile.statusDescriptor,
    pluginDirectory: insidePaths.plugin,
    dataDirectory: insidePaths.data,
    uid: launch.uid,
    enforcement: profile.enforcement,
  };
}
