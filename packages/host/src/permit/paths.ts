import { homedir } from 'node:os';

/** The folders a path in a permission may begin with instead of `/`; the sandbox puts the real ones in. */
export const pathPrefixes = {
  // biome-ignore-start lint/suspicious/noTemplateCurlyInString: spelt so in manifests
  data: '${plugin.data}',
  project: '${project}',
  home: '${home}',
  // biome-ignore-end lint/suspicious/noTemplateCurlyInString: spelt so in manifests
} as const;

/** The prefix that a path begins with as a whole folder name, if any. */
export function prefixOf(path: string): string | undefined {
  return Object.values(pathPrefixes).find((prefix) => isWithin(path, prefix));
}

/** What the risk of a path depends on. Absolute paths without a trailing slash. */
export interface RiskContext {
  /** `$MMM_HOME`, where keys, trust and grants lie. Default: `.mmm` in the user's home folder. */
  readonly home?: string;
  /** The user's home folder. Default: the operating system's answer. */
  readonly userHome?: string;
  /** What `${project}` means. Default: nothing is known of it. */
  readonly project?: string;
}

/** Trees in which lie keys, sessions, sockets of daemons, or mmm's own trust: reading them is taking over. */
const homeSecrets = [
  '.ssh',
  '.gnupg',
  '.aws',
  '.azure',
  '.kube',
  '.docker',
  '.netrc',
  '.git-credentials',
  '.npmrc',
  '.pypirc',
  '.mmm',
  '.password-store',
  '.mozilla',
  '.thunderbird',
  '.config/mmm',
  '.config/gcloud',
  '.config/gh',
  '.config/google-chrome',
  '.config/chromium',
  '.config/BraveSoftware',
  '.config/microsoft-edge',
  '.config/vivaldi',
  '.config/opera',
  '.config/Signal',
  '.config/Slack',
  '.config/discord',
  '.config/op',
  '.local/share/kwalletd',
  '.pki',
  '.terraform.d',
  '.vault-token',
  '.m2/settings.xml',
  '.cargo/credentials.toml',
  '.var/app',
  'snap',
  '.local/share/keyrings',
  '.bash_history',
  '.zsh_history',
  '.python_history',
  '.node_repl_history',
  '.psql_history',
  'Library/Keychains',
  'Library/Application Support',
];
const systemSecrets = [
  '/run',
  '/var/run',
  '/root',
  '/boot',
  '/var/lib/docker',
  '/var/lib/containerd',
  '/etc/shadow',
  '/etc/gshadow',
  '/etc/ssh',
  '/etc/sudoers',
  '/etc/sudoers.d',
  '/etc/ssl/private',
  '/proc',
  '/sys',
  '/dev',
];
/** Files and folders whose content somebody runs: writing them is running code outside the sandbox. */
const homeRun = [
  '.bashrc',
  '.bash_profile',
  '.bash_login',
  '.bash_logout',
  '.profile',
  '.zshrc',
  '.zshenv',
  '.zprofile',
  '.zlogin',
  '.config/fish',
  '.config/autostart',
  '.config/systemd',
  '.config/environment.d',
  '.config/git',
  '.gitconfig',
  '.vimrc',
  '.config/nvim',
  '.emacs',
  '.emacs.d',
  '.vscode',
  '.local/bin',
  '.local/share/applications',
  '.cargo/bin',
  '.npm-global',
  '.nvm',
  '.pyenv',
  '.xprofile',
  '.xinitrc',
  '.xsession',
  '.pam_environment',
  '.selected_editor',
  '.inputrc',
  '.tmux.conf',
  '.zlogout',
  '.config/cron',
  'bin',
  'go/bin',
  'Library/LaunchAgents',
];
const systemRun = [
  '/etc',
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/opt',
  '/var/spool/cron',
  '/var/lib',
  '/snap',
  '/nix',
];
const sockets = /(?:^|\/)(?:docker|podman|containerd|crio|buildkitd)\.sock$/;
/** git runs what lies in there. */
const gitInternals = /(?:^|\/)\.git(?:\/|$)/;

/** The path without the `/**` that may end it; both mean the folder and everything below. */
export function treeOf(path: string): string {
  return path.endsWith('/**') ? path.slice(0, -3) || '/' : path;
}

/** The path with its prefix replaced as far as it is known; undefined for one below `${plugin.data}`. */
export function expandPath(path: string, context: RiskContext): string | undefined {
  const tree = treeOf(path);
  const prefix = prefixOf(tree);
  const rest = tree.slice(prefix?.length ?? 0);
  if (prefix === pathPrefixes.data) return undefined;
  if (prefix === pathPrefixes.home) return userHomeOf(context) + rest;
  if (prefix === pathPrefixes.project && context.project !== undefined) return context.project + rest;
  return tree;
}

function userHomeOf(context: RiskContext): string {
  return context.userHome ?? homedir();
}

/** Whether the one tree lies in the other or is it. Absolute paths, normalised. */
export function isWithin(path: string, tree: string): boolean {
  return tree === '/' || path === tree || path.startsWith(`${tree}/`);
}

/** Why access to this path is critical, as the end of "because it …"; undefined when it is not. */
export function dangerOf(path: string, access: 'read' | 'write' | 'execute', context: RiskContext): string | undefined {
  const home = userHomeOf(context);
  const mmmHome = context.home ?? `${home}/.mmm`;
  const touches = (tree: string): boolean => isWithin(path, tree) || isWithin(tree, path);
  const below = (names: readonly string[]): string[] => names.map((name) => `${home}/${name}`);
  if (isWithin(home, path)) return 'holds your whole home folder';
  if (isWithin('/etc', path)) return 'holds the configuration of the whole system';
  if (touches(mmmHome)) return 'holds the keys and permissions of mmm itself';
  if (sockets.test(path)) return 'controls containers, which can do everything on this machine';
  // Below /root only secrets are meant when /root is the home: then the list of the home decides.
  const secrets = [...below(homeSecrets), ...systemSecrets.filter((tree) => !isWithin(home, tree))];
  if (secrets.some(touches)) return 'holds keys, passwords or the sockets of other programs';
  if (access !== 'write') return undefined;
  if (gitInternals.test(path)) return 'holds hooks that git runs outside the sandbox';
  if ([...below(homeRun), ...systemRun].some(touches)) return 'holds what other programs run outside the sandbox';
  return undefined;
}
