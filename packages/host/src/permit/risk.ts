import { type Permission, type PermissionEntry, type PermissionKind, permissionKey } from '@mmm/protocol';
import { safeText } from '../display/safe-text.ts';
import { looksSecret, neverPassed } from '../environment/names.ts';
import { neverGranted } from '../never-granted.ts';
import type { RiskLevel } from '../risk-level.ts';
import { parseNetworkTarget, reachOf } from './host-address.ts';
import { dangerOf, expandPath, isWithin, pathPrefixes, prefixOf, type RiskContext, treeOf } from './paths.ts';

/** How something is named and shown, in a terminal and on a page. The symbol carries it where there is no colour. */
export interface Label {
  readonly name: string;
  readonly sentence: string;
  readonly colour: 'green' | 'yellow' | 'red' | 'magenta' | 'blue' | 'cyan' | 'grey';
  readonly symbol: string;
}

export const riskInfo: { readonly [R in RiskLevel]: Label } = {
  low: { name: 'Low', sentence: 'It cannot hurt anything but the plugin itself.', colour: 'green', symbol: '○' },
  medium: {
    name: 'Medium',
    sentence: 'It can send out or change something you may care about.',
    colour: 'yellow',
    symbol: '◐',
  },
  high: {
    name: 'High',
    sentence: 'It can read or change your files, or run other programs.',
    colour: 'red',
    symbol: '●',
  },
  critical: {
    name: 'Critical',
    sentence: 'It can take over your account, your secrets or your network.',
    colour: 'magenta',
    symbol: '▲',
  },
};

export const permissionInfo: { readonly [K in PermissionKind]: Label } = {
  filesystem: {
    name: 'Files',
    sentence: 'Read, write or run files outside its own folder.',
    colour: 'red',
    symbol: '▤',
  },
  network: { name: 'Network', sentence: 'Connect to a computer on the network.', colour: 'yellow', symbol: '⇄' },
  environment: { name: 'Environment', sentence: 'Read a variable of your environment.', colour: 'yellow', symbol: '$' },
  commands: {
    name: 'Commands',
    sentence: 'Run a program of this machine, inside its sandbox.',
    colour: 'red',
    symbol: '›',
  },
  devices: { name: 'Devices', sentence: 'Use an audio or MIDI device.', colour: 'green', symbol: '♪' },
  system_control: {
    name: 'System',
    sentence: 'Change the volume.',
    colour: 'yellow',
    symbol: '⏻',
  },
  messages: { name: 'Messages', sentence: 'Send messages to other plugins.', colour: 'cyan', symbol: '✉' },
  compose: { name: 'Other plugins', sentence: 'Use what another plugin can do.', colour: 'cyan', symbol: '∘' },
  state: { name: 'State', sentence: 'Keep values in the host.', colour: 'green', symbol: '▪' },
  model: {
    name: 'Language model',
    sentence: 'Send text to the language model you set up.',
    colour: 'blue',
    symbol: '✦',
  },
  project: {
    name: 'Project',
    sentence: 'See or change the specifications of the project.',
    colour: 'blue',
    symbol: '¶',
  },
};

/** Programs that run whatever they are told to, or that give more rights than the plugin has. */
const criticalCommands = new Set([
  'sh',
  'bash',
  'dash',
  'zsh',
  'fish',
  'ksh',
  'mksh',
  'csh',
  'tcsh',
  'ash',
  'rbash',
  'busybox',
  'toybox',
  'pwsh',
  'powershell',
  'cmd',
  'cmd.exe',
  'env',
  'xargs',
  'script',
  'screen',
  'tmux',
  'expect',
  'sudo',
  'su',
  'doas',
  'pkexec',
  'runuser',
  'setpriv',
  'docker',
  'podman',
  'nerdctl',
  'ctr',
  'crictl',
  'kubectl',
  'lxc',
  'machinectl',
  'systemctl',
  'systemd-run',
  'dbus-send',
  'gdbus',
  'busctl',
  'crontab',
  'at',
  'batch',
  'ssh',
  'mmm',
  'nsenter',
  'unshare',
  'bwrap',
  'chroot',
  'mount',
  'gdb',
  'strace',
]);

/**
 * How much harm a permission allows. Decided by its spelling and `context` alone; what it needs no file is read for.
 */
export function riskOf(permission: Permission, context: RiskContext = {}): RiskLevel {
  switch (permission.kind) {
    case 'filesystem':
      return filesystemRisk(permission, context);
    case 'network':
      return networkRisk(permission);
    case 'environment':
      return environmentRisk(permission.name);
    case 'commands':
      return criticalCommands.has(permission.name.toLowerCase()) ? 'critical' : 'high';
    case 'devices':
      return 'low';
    case 'system_control':
      return 'medium';
    // Its own state is its own; what others read or write is not.
    case 'state':
      return permission.scope === 'plugin' ? 'low' : 'medium';
    // A message or a composed call can make any other plugin act with that plugin's permissions.
    case 'messages':
      return permission.to.includes('*') ? 'high' : 'medium';
    case 'compose':
      return `${permission.plugin}${permission.capability}`.includes('*') ? 'high' : 'medium';
    // It costs money and sends text to whoever runs the model.
    case 'model':
      return 'medium';
    case 'project':
      return 'medium';
  }
}

function filesystemRisk({ path, access }: PermissionEntry<'filesystem'>, context: RiskContext): RiskLevel {
  const expanded = expandPath(path, context);
  if (expanded === undefined) return access === 'execute' ? 'medium' : 'low';
  return dangerOf(expanded, access, context) === undefined ? 'high' : 'critical';
}

function networkRisk({ host, private: isPrivate }: PermissionEntry<'network'>): RiskLevel {
  const target = parseNetworkTarget(host);
  if ('problem' in target || isPrivate === true) return 'critical';
  const reach = reachOf(target);
  if (reach === 'private' || reach === 'wildcard') return 'critical';
  // Behind a name stands somebody; behind an address or on every port may stand anything.
  return reach === 'address' || target.port === '*' ? 'high' : 'medium';
}

function environmentRisk(name: string): RiskLevel {
  if (neverPassed(name) !== undefined) return 'critical';
  return looksSecret(name) || name.endsWith('*') ? 'high' : 'medium';
}

/**
 * What a person reads before they decide: one sentence without the plugin's own words but for names, which are shown
 * safely. Always of the form "Read files …": what the plugin could then do.
 */
export function describePermission(permission: Permission): string {
  switch (permission.kind) {
    case 'filesystem':
      return describeFiles(permission);
    case 'network':
      return describeNetwork(permission);
    case 'environment':
      return permission.name.endsWith('*')
        ? `Read every environment variable that begins with ${show(permission.name.slice(0, -1))}.`
        : `Read the environment variable ${show(permission.name)}.`;
    case 'commands':
      return criticalCommands.has(permission.name.toLowerCase())
        ? `Run the program ${show(permission.name)}, which can run anything else.`
        : `Run the program ${show(permission.name)}.`;
    case 'devices':
      return permission.name === 'audio' ? 'Play sound and set its volume.' : 'Send and receive MIDI.';
    case 'system_control':
      return {
        volume: 'Change the sound volume.',
        display: 'Change the brightness and state of the display.',
        power: 'Lock, suspend or shut down the machine.',
      }[permission.name];
    case 'messages':
      return permission.to.includes('*')
        ? `Send messages to every plugin that matches ${show(permission.to)}.`
        : `Send messages to the plugin ${show(permission.to)}.`;
    case 'compose':
      return (
        `Use ${permission.capability === '*' ? 'everything' : show(permission.capability)} of the plugin ` +
        `${show(permission.plugin)}.`
      );
    case 'state':
      return {
        plugin: 'Keep values of its own in the host.',
        project: 'Read and change values that all plugins of the project share.',
        global: 'Read and change values that all plugins share.',
      }[permission.scope];
    case 'model':
      return 'Send text to the language model you set up, which may cost money.';
    case 'project':
      return permission.access === 'read'
        ? 'Read the name and the specifications of the project.'
        : 'Read the specifications of the project and change their status.';
  }
}

const prefixNames: Readonly<Record<string, string>> = {
  [pathPrefixes.data]: 'its own data folder',
  [pathPrefixes.project]: 'the project',
  [pathPrefixes.home]: 'your home folder',
};

function describeFiles({ path, access }: PermissionEntry<'filesystem'>): string {
  const tree = treeOf(path);
  const prefix = prefixOf(tree) ?? '';
  const folder = prefixNames[prefix];
  const below = tree.slice(prefix.length).replace(/^\//, '');
  const within = below === '' ? folder : `${show(below)} in ${folder}`;
  const place = folder === undefined ? show(tree) : within;
  const verb = { read: 'Read', write: 'Read, change and delete', execute: 'Run programs from' }[access];
  if (access === 'execute') return `${verb} ${place}.`;
  // Only a folder can be spelt with /**; without it the path may be a file, and no file is looked at here.
  const isFolder = tree !== path || (folder !== undefined && below === '');
  return `${verb} ${place}${isFolder ? ' and everything below it' : ', and everything below it if it is a folder'}.`;
}

function describeNetwork({ host, private: isPrivate }: PermissionEntry<'network'>): string {
  const target = parseNetworkTarget(host);
  if ('problem' in target) return `Connect to ${show(host)}.`;
  const name = target.wildcard ? `every computer below ${show(target.host)}` : show(target.host);
  const port = target.port === '*' ? 'on every port' : `on port ${target.port}`;
  const own = isPrivate === true || reachOf(target) === 'private';
  return `Connect to ${name} ${port}${own ? ', also inside your own network or on this machine' : ''}.`;
}

function show(text: string): string {
  return safeText(text, 200);
}

/**
 * Why a permission can never be granted, as a sentence; undefined when it can. A manifest that asks for one such is
 * refused at installation and again at each launch.
 */
export function checkRequest(permission: Permission): string | undefined {
  // Nobody can judge a name they cannot see.
  if (/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\p{Co}\p{Cn}]/u.test(permissionKey(permission))) {
    return 'it contains characters that cannot be shown.';
  }
  switch (permission.kind) {
    case 'filesystem':
      return checkPath(permission.path);
    case 'network':
      return problemOf(parseNetworkTarget(permission.host));
    case 'environment': {
      const entry = neverPassed(permission.name);
      return entry === undefined
        ? undefined
        : `no plugin gets ${entry}: such a variable changes what programs load, ` +
            'trust or connect to, or is set by the host itself.';
    }
    case 'system_control':
      return permission.name === 'volume'
        ? undefined
        : 'nothing lets a plugin do that from inside its sandbox, and the host does not do it for plugins.';
    case 'messages':
      return checkPattern(permission.to);
    case 'compose':
      return checkPattern(permission.plugin) ?? checkPattern(permission.capability);
    default:
      return undefined;
  }
}

function checkPath(path: string): string | undefined {
  const prefix = prefixOf(path);
  if (prefix === undefined && !path.startsWith('/')) {
    return `a path begins with / or with one of ${Object.values(pathPrefixes).join(', ')}.`;
  }
  const rest = treeOf(path).slice(prefix?.length ?? 0);
  if (rest === '/' && prefix === undefined) return 'the whole file system also holds /proc, /sys and /dev.';
  if (
    rest !== '' &&
    rest
      .split('/')
      .slice(1)
      .some((part) => part === '' || part === '.' || part === '..')
  ) {
    return 'a path has no empty parts, no "." and no "..", and no slash at its end.';
  }
  if (/[*?[\]{}$\\]/.test(rest))
    return 'a path has no wildcards but a /** at its end, and no variables but its prefix.';
  if (prefix !== undefined) return undefined;
  const kernel = ['/proc', '/sys', '/dev'].find((tree) => isWithin(rest, tree));
  if (kernel !== undefined) return `${kernel} gives control over other programs and over the machine.`;
  const tree = neverGranted.trees.find((one) => isWithin(rest, one));
  if (tree !== undefined) return `${tree} is never shown to a plugin from the host.`;
  if (neverGranted.whole.includes(rest)) return `${rest} as a whole is never granted; ask for the folder inside it.`;
  return undefined;
}

function problemOf(target: ReturnType<typeof parseNetworkTarget>): string | undefined {
  return 'problem' in target ? `${target.problem}.` : undefined;
}

function checkPattern(text: string): string | undefined {
  return /^[^*?[\]{}\s]*\*?$/.test(text) ? undefined : 'a name has no wildcard but one * at its end, and no spaces.';
}
