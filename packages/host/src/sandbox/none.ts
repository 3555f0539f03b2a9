import type { Permission } from '@mmm/protocol';
import { pluginEnvironment } from './environment.ts';
import type { EnforcementReport, LaunchCommand } from './launch-command.ts';
import { type HardLimits, helperLimits, limitArguments, type ResourceLimits } from './resource-limits.ts';
import { dropArguments } from './starter.ts';
import type { LaunchHelper, SandboxTools } from './tools.ts';

export interface NoneLaunch {
  readonly plugin: string;
  readonly dropsRoot: boolean;
  readonly uid: number;
  readonly tools: SandboxTools;
  readonly limits: ResourceLimits;
  readonly ceiling: HardLimits;
  readonly bundleDirectory: string;
  readonly dataDirectory: string;
  /** The host's own Node. */
  readonly nodePath: string;
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
 * Where a root host shows a plugin at level none what it runs. Homes and stores are closed to other users, and this
 * keeps them so: the plugin's own user gets three mounts in a namespace of its own instead of the way to them.
 */
export const stagePaths = { folder: '/mnt', plugin: '/mnt/plugin', data: '/mnt/data', node: '/mnt/node' } as const;

/** Arguments: bundle, data folder, Node, then what to run there. */
const stageScript = `set -e
mount -t tmpfs -o mode=0755,size=1m,nosuid,nodev mmm ${stagePaths.folder}
mkdir ${stagePaths.plugin} ${stagePaths.data}
: > ${stagePaths.node}
mount --bind "$1" ${stagePaths.plugin}
mount -o remount,bind,ro ${stagePaths.plugin}
mount --bind "$2" ${stagePaths.data}
mount --bind "$3" ${stagePaths.node}
shift 3
cd ${stagePaths.plugin}
exec "$@"`;

/**
 * Level `none`, for a plugin its user named. It still gets an environment from nothing, limits, never uid 0, and where
 * the machine lets it a process namespace that ends with the host, so that nothing is left behind.
 */
export function noneCommand(launch: NoneLaunch): LaunchCommand {
  const { dropsRoot, bundleDirectory, dataDirectory } = launch;
  const seen = dropsRoot
    ? { plugin: stagePaths.plugin, data: stagePaths.data, cwd: '/' }
    : { plugin: bundleDirectory, data: dataDirectory, cwd: bundleDirectory };
  const [file = '', ...args] = [...wrapper(launch), ...launch.argv];
  return {
    level: 'none',
    mechanism: 'none',
    file,
    args,
    env: pluginEnvironment({
      plugin: launch.plugin,
      home: seen.data,
      temporary: seen.data,
      directory: seen.plugin,
      granted: launch.granted,
      host: launch.environment,
    }),
    cwd: seen.cwd,
    descriptors: [],
    statusDescriptor: null,
    shown: [],
    bindsDescriptors: false,
    blockDescriptor: null,
    egress: null,
    pluginDirectory: seen.plugin,
    dataDirectory: seen.data,
    uid: launch.uid,
    enforcement: nothingEnforced,
  };
}

/** What stands before the plugin's own command line. */
function wrapper({ tools, dropsRoot, uid, limits, ceiling, ...launch }: NoneLaunch): readonly string[] {
  if (tools.helper !== null) return helperWords({ tools, dropsRoot, uid, limits, ceiling, ...launch }, tools.helper);
  const death = ['--pdeathsig', 'KILL'];
  const tie = tools.setpriv === null ? [] : [tools.setpriv, ...death, '--'];
  const limit = tools.prlimit === null ? [] : limitArguments(tools.prlimit, limits, ceiling);
  const namespace = ['--pid', '--fork', '--kill-child', '--mount-proc', '--'];
  if (!dropsRoot) {
    const own = tools.unshare === null ? [] : [tools.unshare, '--user', '--map-current-user', ...namespace];
    return [...tie, ...own, ...limit];
  }
  // A change of uid clears the death signal of the process; `setpriv` sets it again after that.
  const drop = tools.setpriv === null ? [] : dropArguments(tools.setpriv, uid, death);
  const stage = ['/bin/sh', '-c', stageScript, 'sh', launch.bundleDirectory, launch.dataDirectory, launch.nodePath];
  return [...tie, tools.unshare ?? 'unshare', '--mount', ...namespace, ...stage, ...drop, ...limit];
}

/** All of it by one program of ours. */
function helperWords(launch: NoneLaunch, { path, namespaces }: LaunchHelper): readonly string[] {
  const { dropsRoot, bundleDirectory, dataDirectory, nodePath } = launch;
  const own = namespaces ? [...(dropsRoot ? [] : ['--user-namespace']), '--pid-namespace'] : [];
  const stage = ['--stage', stagePaths.folder, bundleDirectory, dataDirectory, nodePath];
  const drop = dropsRoot ? ['--uid', String(launch.uid), ...stage, '--chdir', stagePaths.plugin] : [];
  return [path, '--tie', ...own, ...drop, ...helperLimits(launch.limits, launch.ceiling), '--'];
}
