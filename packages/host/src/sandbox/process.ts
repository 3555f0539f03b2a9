import type { Permission } from '@mmm/protocol';
import { type ForwarderTools, proxyVariables } from '../egress/forwarder.ts';
import { egressRules } from '../egress/rule.ts';
import { pluginEnvironment } from './environment.ts';
import type { LaunchCommand } from './launch-command.ts';
import { bubblewrapProfile, insidePaths, type ProfileParts } from './profile.ts';
import { outerLimitArguments } from './resource-limits.ts';

export interface ProcessLaunch extends ProfileParts {
  /** Absolute path of a bubblewrap that was seen to work. */
  readonly bubblewrap: string;
  readonly granted: readonly Permission[];
  readonly environment: Readonly<Record<string, string>>;
  /** Present exactly when hosts were granted. */
  readonly forwarder?: ForwarderTools;
}

/** Level `process`: the plugin inside bubblewrap. Pure, but for what it was given. */
export function processCommand(launch: ProcessLaunch): LaunchCommand {
  const { forwarder } = launch;
  const profile = bubblewrapProfile({ ...launch, waitsForEgress: forwarder !== undefined });
  const { prlimit } = launch.tools;
  const limit = prlimit === null ? [] : outerLimitArguments(prlimit, launch.limits, launch.ceiling, launch.dropsRoot);
  const [file = launch.bubblewrap, ...args] = [...limit, launch.bubblewrap, ...profile.args];
  return {
    level: 'process',
    mechanism: 'bubblewrap',
    file,
    args,
    // bubblewrap is process 1 of the sandbox, where its environment can be read: it gets the plugin's and no more.
    env: pluginEnvironment({
      plugin: launch.plugin,
      home: insidePaths.data,
      temporary: insidePaths.temporary,
      directory: insidePaths.plugin,
      granted: launch.granted,
      host: launch.environment,
      ...(forwarder === undefined ? {} : { network: proxyVariables }),
    }),
    cwd: '/',
    descriptors: profile.descriptors,
    statusDescriptor: profile.statusDescriptor,
    egress:
      forwarder === undefined || profile.blockDescriptor === null
        ? null
        : {
            rules: egressRules(launch.granted),
            tools: forwarder,
            dropsRoot: launch.dropsRoot,
            blockDescriptor: profile.blockDescriptor,
          },
    pluginDirectory: insidePaths.plugin,
    dataDirectory: insidePaths.data,
    uid: launch.uid,
    enforcement: profile.enforcement,
  };
}
