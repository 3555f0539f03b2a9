import type { Permission } from '@mmm/protocol';
import { pluginEnvironment } from './environment.ts';
import type { EnforcementReport, LaunchCommand } from './launch-command.ts';
import type { LibraryLayout } from './library-layout.ts';
import type { GrantMount, Mount, ShownPath } from './mount.ts';
import { requireWholeOptions } from './mount-point.ts';
import { stagePaths } from './none.ts';
import { type HardLimits, helperLimits, type ResourceLimits } from './resource-limits.ts';
import { hasSeccompFilter, seccompFilter } from './seccomp.ts';
import { helperNamespaces, type LaunchHelper } from './tools.ts';

export interface LandlockLaunch {
  readonly plugin: string;
  readonly dropsRoot: boolean;
  readonly uid: number;
  readonly helper: LaunchHelper;
  /** What the kernel's Landlock can do, as it counts itself. */
  readonly abi: number;
  readonly architecture: string;
  readonly layout: LibraryLayout;
  readonly limits: ResourceLimits;
  readonly ceiling: HardLimits;
  readonly bundleDirectory: string;
  readonly dataDirectory: string;
  /** The host's own Node. */
  readonly nodePath: string;
  readonly argv: readonly string[];
  readonly programs: readonly Mount[];
  readonly grants: readonly GrantMount[];
  readonly granted: readonly Permission[];
  readonly environment: Readonly<Record<string, string>>;
}

const descriptors = { status: 3, seccomp: 4, firstShown: 5 } as const;
const devices = ['null', 'zero', 'full', 'random', 'urandom'].map((name) => `/dev/${name}`);
/** What runtimes ask the kernel at their start. Not the folder: it lists the processes of everybody. */
const kernelFiles = ['self', 'meminfo', 'cpuinfo', 'stat', 'uptime', 'loadavg', 'version', 'filesystems'];
/** What programs give up over when it is there and may not be read; none of it says anything about anybody. */
const publicFiles = ['/etc/ssl/openssl.cnf', '/etc/pki/tls/openssl.cnf', '/etc/localtime', '/usr/share/zoneinfo'];

/**
 * Level `process` where bubblewrap does not work: the plugin among the host's files and processes, kept by Landlock and
 * a filter of system calls from what it was not granted. Pure, but for what it was given.
 */
export function landlockCommand(launch: LandlockLaunch): LaunchCommand {
  const { dropsRoot, helper, dataDirectory, bundleDirectory } = launch;
  const seen = dropsRoot
    ? { plugin: stagePaths.plugin, data: stagePaths.data }
    : { plugin: bundleDirectory, data: dataDirectory };
  const shown = launch.grants.map(({ grant, source, target, device, inode }, index): ShownPath => {
    return { fd: descriptors.firstShown + index, grant, path: source, target, device, inode };
  });
  const hasFilter = hasSeccompFilter(launch.architecture);
  const args = [
    ...['--tie', '--supervise', '--sweep', '--landlock', '--status', String(descriptors.status)],
    ...(helper.namespaces ? [...helperNamespaces(dropsRoot), '--init'] : []),
    ...(hasFilter ? ['--seccomp', String(descriptors.seccomp)] : []),
    ...(dropsRoot ? ['--uid', String(launch.uid), ...stageWords(launch)] : []),
    ...helperLimits(launch.limits, launch.ceiling),
    ...rules(launch, seen),
    ...launch.grants.flatMap((grant, index) => ['--allow-open', kindOf(grant), String(descriptors.firstShown + index)]),
    ...['--chdir', seen.plugin, '--', ...launch.argv],
  ];
  requireWholeOptions(launch.plugin, args);
  return {
    level: 'process',
    mechanism: 'landlock',
    file: helper.path,
    args,
    env: pluginEnvironment({
      plugin: launch.plugin,
      home: seen.data,
      temporary: seen.data,
      directory: seen.plugin,
      granted: launch.granted,
      host: launch.environment,
    }),
    cwd: '/',
    descriptors: hasSeccompFilter(launch.architecture)
      ? [{ fd: descriptors.seccomp, bytes: seccompFilter(launch.architecture, 'shared') }]
      : [],
    statusDescriptor: descriptors.status,
    shown,
    bindsDescriptors: true,
    blockDescriptor: null,
    egress: null,
    pluginDirectory: seen.plugin,
    dataDirectory: seen.data,
    uid: launch.uid,
    enforcement: landlockEnforcement({ abi: launch.abi, namespaces: helper.namespaces, hasFilter }),
  };
}

/** What this kernel's Landlock, with or without namespaces and a filter of system calls, really keeps a plugin from. */
export function landlockEnforcement(machine: {
  readonly abi: number;
  readonly namespaces: boolean;
  readonly hasFilter: boolean;
}): EnforcementReport {
  const { abi, namespaces, hasFilter } = machine;
  return {
    // Until its third version any file that the uid may write could be cut; without the filter its mode be changed.
    filesystem: abi >= 3 && hasFilter ? 'enforced' : 'partial',
    // Of the network Landlock knows TCP only, from its fourth version on: it is the filter that leaves no sockets.
    network: hasFilter || namespaces ? 'enforced' : abi >= 4 ? 'partial' : 'declared',
    environment: 'enforced',
    commands: 'enforced',
    // Until its sixth version it let signals through to everything of the same user.
    processes: namespaces ? 'enforced' : abi >= 6 ? 'partial' : 'declared',
    ipc: hasFilter ? 'enforced' : 'partial',
    memory: 'partial',
  };
}

function stageWords({ bundleDirectory, dataDirectory, nodePath }: LandlockLaunch): string[] {
  return ['--stage', stagePaths.folder, bundleDirectory, dataDirectory, nodePath];
}

/** Everything the plugin may open. What is not named here, or below what is, cannot be. */
function rules({ layout, programs, helper }: LandlockLaunch, seen: { plugin: string; data: string }): string[] {
  const allow = (kind: string, paths: readonly string[]): string[] =>
    [...new Set(paths)].flatMap((path) => ['--allow', kind, path]);
  return [
    ...allow('x', [...layout.folders, ...programs.map(({ source }) => source), seen.plugin]),
    ...allow('W', [seen.data]),
    ...allow('d', devices),
    // These may be links, or missing.
    ...allow('p', [...layout.files, ...publicFiles]),
    ...allow('p', helper.namespaces ? ['/proc'] : kernelFiles.map((name) => `/proc/${name}`)),
  ];
}

function kindOf({ writable, executable }: GrantMount): string {
  if (writable) return executable ? 'W' : 'w';
  return executable ? 'x' : 'r';
}
