import type { Permission } from '@mmm/protocol';
import { type ForwarderTools, proxyVariables } from '../egress/forwarder.ts';
import { egressRules } from '../egress/rule.ts';
import { pluginEnvironment } from './environment.ts';
import type { LaunchCommand } from './launch-command.ts';
import { holdsExecute, noexecStage } from './noexec-stage.ts';
import { bubblewrapProfile, insidePaths, type ProfileParts } from './profile.ts';
import { outerLimitArguments } from './resource-limits.ts';
import type { SandboxTools } from './tools.ts';

export interface ProcessLaunch extends ProfileParts {
  readonly tools: SandboxTools;
  /** Everything but grants that is shown to be run, by its real path. */
  readonly runnable: readonly string[];
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
  const limit = outerLimitArguments(launch.tools, launch.limits, launch.ceiling, launch.dropsRoot);
  const stage = noexecStage(launch);
  const [file = launch.bubblewrap, ...args] = [...limit, ...stage, launch.bubblewrap, ...profile.args];
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
    shown: profile.shown,
    bindsDescriptors: launch.bindsDescriptors,
    blockDescriptor: profile.blockDescriptor,
    egress:
      forwarder === undefined
        ? null
        : { rules: egressRules(launch.granted), tools: forwarder, dropsRoot: launch.dropsRoot },
    pluginDirectory: insidePaths.plugin,
    dataDirectory: insidePaths.data,
    uid: launch.uid,
    enforcement: holdsExecute(launch) ? profile.enforcement : { ...profile.enforcement, filesystem: 'partial' },
  };
}
