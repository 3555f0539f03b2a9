import { type DeviceNodes, soundFolder } from './devices.ts';
import type { DescriptorInput, EnforcementReport } from './launch-command.ts';
import type { LibraryLayout } from './library-layout.ts';
import type { GrantMount, Mount, ShownPath } from './mount.ts';
import { requireMountPoint, requireWholeOptions } from './mount-point.ts';
import type { HardLimits, ResourceLimits } from './resource-limits.ts';
import { hasSeccompFilter, seccompFilter } from './seccomp.ts';
import { starter, starterPrograms } from './starter.ts';
import type { SandboxTools } from './tools.ts';

/**
 * Paths as the plugin sees them. They say nothing about the host, but they are no secret-keeping either:
 * /proc/self/mountinfo names what is mounted by its path on the host's disk.
 */
export const insidePaths = {
  plugin: '/plugin',
  data: '/data',
  temporary: '/tmp',
  node: '/usr/bin/node',
  /** The helpers that start the plugin; off the PATH, because no plugin was granted them. */
  tools: '/.mmm',
} as const;

/**
 * Everything the profile depends on. Facts come in as values, so the profile can be read and tested without a machine.
 */
export interface ProfileParts {
  readonly plugin: string;
  /** Root without a user namespace, dropping to `uid`; or an ordinary user inside a user namespace. */
  readonly dropsRoot: boolean;
  readonly uid: number;
  readonly architecture: string;
  readonly layout: LibraryLayout;
  readonly tools: Pick<SandboxTools, 'setpriv' | 'prlimit' | 'helper'>;
  readonly limits: ResourceLimits;
  readonly ceiling: HardLimits;
  readonly bundleDirectory: string;
  readonly dataDirectory: string;
  readonly argv: readonly string[];
  /** Programs, interpreters and what they need. */
  readonly programs: readonly Mount[];
  /** What the filesystem grants show. */
  readonly grants: readonly GrantMount[];
  /** This bubblewrap mounts what a descriptor holds, and looks again after the mount. */
  readonly bindsDescriptors: boolean;
  /** What the device grants show. Default: no device but those that every program has. */
  readonly devices?: DeviceNodes;
  /** Folders inside the grants that stay hidden. */
  readonly hidden: readonly string[];
  /** The plugin waits until the way to its hosts is there. Default: false. */
  readonly waitsForEgress?: boolean;
}

export interface BubblewrapProfile {
  /** For `bwrap`: its own words; the options travel by descriptor, out of sight of /proc/1/cmdline. */
  readonly args: readonly string[];
  readonly descriptors: readonly DescriptorInput[];
  readonly statusDescriptor: number;
  /** What the plugin waits on before it starts; null when it waits for nothing. */
  readonly blockDescriptor: number | null;
  /** What the grants show, each by a descriptor that it is opened on. */
  readonly shown: readonly ShownPath[];
  readonly enforcement: EnforcementReport;
  /** The options, one word each: what `args` and the first descriptor amount to. */
  readonly options: readonly string[];
}

const descriptors = { options: 3, status: 4, seccomp: 5, firstFile: 6 } as const;

/**
 * The whole confinement of one launch as bubblewrap options. Throws LAUNCH_FAILED for a mount that is not at a plain
 * path of its own.
 */
export function bubblewrapProfile(parts: ProfileParts): BubblewrapProfile {
  for (const { target } of [...parts.programs, ...parts.grants]) requireMountPoint(parts.plugin, target);
  for (const path of parts.hidden) requireMountPoint(parts.plugin, path);
  const hasFilter = hasSeccompFilter(parts.architecture);
  const hasLimits = parts.tools.helper !== null || parts.tools.prlimit !== null;
  const files = syntheticFiles(parts.uid);
  const waits = parts.waitsForEgress === true || (parts.grants.length > 0 && !parts.bindsDescriptors);
  const blockDescriptor = waits ? descriptors.firstFile + files.length : null;
  const firstShown = descriptors.firstFile + files.length + (blockDescriptor === null ? 0 : 1);
  const shown = parts.grants.map((grant, index): ShownPath => {
    const { source, target, device, inode } = grant;
    return { fd: firstShown + index, grant: grant.grant, path: source, target, device, inode };
  });
  const options = [
    ...namespaces(parts.dropsRoot),
    ...['--json-status-fd', String(descriptors.status)],
    ...(blockDescriptor === null ? [] : ['--block-fd', String(blockDescriptor)]),
    ...(hasFilter ? ['--seccomp', String(descriptors.seccomp)] : []),
    ...systemMounts(parts),
    // Plain files of the root, which is read-only in the end: a mount for each would cost a quarter of a millisecond.
    ...files.flatMap(({ path }, index) => ['--perms', '0444', '--file', String(descriptors.firstFile + index), path]),
    ...kernelMounts(parts.waitsForEgress === true, parts.limits.temporaryBytes),
    ...deviceMounts(parts.devices),
    ...folders(parts.grants.flatMap(({ target }) => foldersAbove(target))),
    ...parts.grants.flatMap((grant, index) =>
      parts.bindsDescriptors ? bindDescriptor(grant, firstShown + index) : bind(grant),
    ),
    ...parts.hidden.flatMap((path) => ['--tmpfs', path, '--remount-ro', path]),
    ...bind({ source: parts.bundleDirectory, target: insidePaths.plugin, writable: false }),
    ...bind({ source: parts.dataDirectory, target: insidePaths.data, writable: true }),
    // After everything that a plugin or a grant has a word in: what leaves root must be what we put there.
    ...helperMounts(parts),
    // Last: from here on the root is read-only, so every folder to mount on must exist by now.
    ...['--remount-ro', '/dev', '--remount-ro', '/'],
    ...['--chdir', insidePaths.plugin],
  ];
  requireWholeOptions(parts.plugin, options);
  return {
    options,
    args: [
      '--args',
      String(descriptors.options),
      '--',
      ...starter({ ...parts, groups: parts.devices?.groups ?? [] }, insideTool),
      ...parts.argv,
    ],
    descriptors: [
      { fd: descriptors.options, bytes: Buffer.from(options.map((option) => `${option}\0`).join('')) },
      ...(hasSeccompFilter(parts.architecture)
        ? [{ fd: descriptors.seccomp, bytes: seccompFilter(parts.architecture) }]
        : []),
      ...files.map(({ text }, index) => ({ fd: descriptors.firstFile + index, bytes: Buffer.from(text) })),
    ],
    statusDescriptor: descriptors.status,
    blockDescriptor,
    shown,
    enforcement: {
      filesystem: 'enforced',
      network: 'enforced',
      environment: 'enforced',
      commands: 'enforced',
      processes: hasLimits ? 'enforced' : 'partial',
      ipc: hasFilter ? 'enforced' : 'partial',
      // RLIMIT_DATA bounds each process; their sum is only looked at, and ended when it is over.
      memory: hasLimits ? 'partial' : 'declared',
    },
  };
}

/**
 * A network namespace of its own always: hosts that are granted come in by the egress proxy, never by sharing the
 * host's. As root there is no user namespace: the mounts need none, and the three capabilities let `setpriv` leave
 * root for good.
 */
function namespaces(dropsRoot: boolean): string[] {
  return [
    ...(dropsRoot ? [] : ['--unshare-user']),
    ...['--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-net', '--unshare-cgroup-try'],
    ...['--cap-drop', 'ALL'],
    ...(dropsRoot ? ['CAP_SETUID', 'CAP_SETGID', 'CAP_SETPCAP'].flatMap((name) => ['--cap-add', name]) : []),
    // A session of its own also gives the plugin a process group of its own, which SIGTERM is sent to.
    ...['--new-session', '--die-with-parent', '--hostname', 'plugin'],
  ];
}

/** Libraries and programs: read-only, each at one path, links of the host's top level recreated. */
function systemMounts({ layout, programs: found, plugin }: ProfileParts): string[] {
  const libraries = [...layout.folders, ...layout.files].map((path) => ({
    source: path,
    target: path,
    writable: false,
  }));
  const programs = found.map((mount) => ({ ...mount, target: withoutLinks(mount.target, layout) }));
  for (const { target } of programs) requireMountPoint(plugin, target);
  return [
    ...folders([
      '/etc',
      '/usr',
      '/usr/bin',
      ...[...libraries, ...programs].flatMap(({ target }) => foldersAbove(target)),
    ]),
    ...libraries.flatMap(bind),
    ...layout.links.flatMap(({ path, target }) => ['--symlink', target, path]),
    ...programs.flatMap(bind),
  ];
}

/** The programs that start the plugin, at names no other mount can have. */
function helperMounts(parts: ProfileParts): string[] {
  const mounts = starterPrograms(parts).map((source) => ({ source, target: insideTool(source), writable: false }));
  return [...folders(mounts.length === 0 ? [] : [insidePaths.tools]), ...mounts.flatMap(bind)];
}

/** A mount point below a link is given by the real path: bubblewrap makes folders, and a link is in the way of one. */
function withoutLinks(path: string, layout: LibraryLayout): string {
  const link = layout.links.find((candidate) => path.startsWith(`${candidate.path}/`));
  if (link === undefined) return path;
  const parent = link.path.slice(0, link.path.lastIndexOf('/'));
  const target = link.target.startsWith('/') ? link.target : `${parent}/${link.target}`;
  return target + path.slice(link.path.length);
}

/** /proc/sys is bound read-only: bubblewrap alone leaves it writable for some uids. /dev/shm gets a size like /tmp. */
function kernelMounts(isEntered: boolean, temporaryBytes: number): string[] {
  const temporary = (path: string): string[] => ['--perms', '1777', '--size', String(temporaryBytes), '--tmpfs', path];
  return [
    ...['--proc', '/proc', '--ro-bind', '/proc/sys', '/proc/sys'],
    ...(isEntered ? plainDevices() : ['--dev', '/dev']),
    ...temporary('/dev/shm'),
    ...temporary(insidePaths.temporary),
  ];
}

/**
 * The devices of `--dev` without terminals. For those bubblewrap makes a second user namespace inside the first, and
 * the plugin's network, which belongs to the first, could then not be entered any more: not even by the forwarder.
 */
function plainDevices(): string[] {
  const names = ['null', 'zero', 'full', 'random', 'urandom', 'tty'];
  const links = { fd: 'fd', stdin: 'fd/0', stdout: 'fd/1', stderr: 'fd/2' };
  return [
    ...['--perms', '0755', '--tmpfs', '/dev'],
    ...names.flatMap((name) => ['--dev-bind', `/dev/${name}`, `/dev/${name}`]),
    ...Object.entries(links).flatMap(([name, target]) => ['--symlink', `/proc/self/${target}`, `/dev/${name}`]),
    ...folders(['/dev/shm']),
  ];
}

function deviceMounts(devices: DeviceNodes | undefined): string[] {
  if (devices === undefined || devices.names.length === 0) return [];
  const bound = devices.names.flatMap((name) => ['--dev-bind', `${devices.folder}/${name}`, `${soundFolder}/${name}`]);
  return [...folders([soundFolder]), ...bound];
}

/** What programs expect in /etc, without a word about the host. */
function syntheticFiles(uid: number): { path: string; text: string }[] {
  return [
    { path: '/etc/passwd', text: `plugin:x:${uid}:${uid}:plugin:${insidePaths.data}:/bin/false\n` },
    { path: '/etc/group', text: `plugin:x:${uid}:\n` },
    { path: '/etc/hosts', text: '127.0.0.1 localhost plugin\n::1 localhost\n' },
    { path: '/etc/nsswitch.conf', text: 'passwd: files\ngroup: files\nhosts: files\n' },
  ];
}

/**
 * Folders to mount on are made one by one: bubblewrap would give them the mode of what is mounted, private ones too.
 */
function folders(paths: readonly string[]): string[] {
  return [...new Set(paths)].flatMap((path) => ['--perms', '0755', '--dir', path]);
}

/** `/home` and `/home/user` for `/home/user/project`. */
function foldersAbove(path: string): string[] {
  const parts = path.split('/').slice(1, -1);
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('/')}`);
}

function insideTool(path: string): string {
  return `${insidePaths.tools}/${path.slice(path.lastIndexOf('/') + 1)}`;
}

/** bubblewrap mounts what the descriptor's path leads to, compares it with the descriptor, and gives up on another. */
function bindDescriptor({ target, writable }: Mount, fd: number): string[] {
  return [writable ? '--bind-fd' : '--ro-bind-fd', String(fd), target];
}

function bind({ source, target, writable }: Mount): string[] {
  return [writable ? '--bind' : '--ro-bind', source, target];
}
