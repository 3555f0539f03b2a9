import type { Permission } from '@mmm/protocol';
import { pluginEnvironment } from './environment.ts';
import type { EnforcementReport, LaunchCommand } from './launch-command.ts';
import { dropArguments } from './profile.ts';
import { type HardLimits, limitArguments, type ResourceLimits } from './resource-limits.ts';
import type { SandboxTools } from './tools.ts';

export interface NoneLaunch {
  readonly plugin: string;
  readonly dropsRoot: boolean;
  readonly uid: number;
  readonly tools: SandboxTools;
  readonly limits: ResourceLimits;
  readonly ceiling: HardLimits;
  readonly bundleDirectory: string;
  readonly dataDirectory: string;
  readonly argv: readonly string[];
  readonly granted: readonly Permission[];
  readonly environment: Readonly<Record<string, string>>;
}

/** Without bubblewrap nothing but the environment is kept from a plugin: it reads and does what its uid may. */
export const nothingEnforced: EnforcementReport = {
  filesystem: 'declared',
  network: 'declared',
  environment: 'enforced',
  commands: 'declared',
  processes: 'declared',
  ipc: 'declared',
  memory: 'declared',
};

/**
 * Level `none`, for a plugin its user named. It still gets an environment from nothing, limits, never uid 0, and where
 * the machine lets it a process namespace that ends with the host, so that nothing is left behind.
 */
export function noneCommand(launch: NoneLaunch): LaunchCommand {
  const { tools } = launch;
  const tie = tools.setpriv === null ? [] : [tools.setpriv, '--pdeathsig', 'KILL', '--'];
  const user = launch.dropsRoot ? [] : ['--user', '--map-current-user'];
  const namespace =
    tools.unshare === null ? [] : [tools.unshare, ...user, '--pid', '--fork', '--kill-child', '--mount-proc', '--'];
  const drop = launch.dropsRoot && tools.setpriv !== null ? dropArguments(tools.setpriv, launch.uid) : [];
  // A change of uid clears the death signal of the process, so it is set once more.
  const tieAgain = drop.length > 0 ? tie : [];
  const limit = tools.prlimit === null ? [] : limitArguments(tools.prlimit, launch.limits, launch.ceiling);
  const [file = '', ...args] = [...tie, ...namespace, ...drop, ...tieAgain, ...limit, ...launch.argv];
  return {
    level: 'none',
    mechanism: 'none',
    file,
    args,
    env: pluginEnvironment({
      plugin: launch.plugin,
      home: launch.dataDirectory,
      temporary: launch.dataDirectory,
      directory: launch.bundleDirectory,
      granted: launch.granted,
      host: launch.environment,
    }),
    cwd: launch.bundleDirectory,
    descriptors: [],
    statusDescriptor: null,
    pluginDirectory: launch.bundleDirectory,
    dataDirectory: launch.dataDirectory,
    uid: launch.uid,
    enforcement: nothingEnforced,
  };
}
