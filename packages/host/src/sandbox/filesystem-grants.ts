import type { Stats } from 'node:fs';
import { access, constants, lstat, readlink, realpath, stat } from 'node:fs/promises';
import { dirname, isAbsolute, join, normalize, relative } from 'node:path';
import { MmmError, type Permission, permissionKey } from '@mmm/protocol';
import { neverGranted } from '../never-granted.ts';
import { type Place, placeAt } from '../places/place.ts';
import { openingCommand } from './grant-advice.ts';
import type { GrantMount } from './mount.ts';

type FilesystemGrant = Extract<Permission, { kind: 'filesystem' }>;

/** What the placeholders in a granted path mean, and who will use it. */
export interface GrantPlaces {
  readonly plugin: string;
  readonly dataDirectory: string;
  /** $MMM_HOME: keys, trust and other plugins' data. Nothing in it can be granted. */
  readonly homeDirectory: string;
  readonly userHome: string;
  readonly project: string | undefined;
  /** The real uid and gid of the plugin. */
  readonly uid: number;
  /** True when the host is root and the plugin is not: then access is judged by mode bits. */
  readonly dropsRoot: boolean;
  /** What was agreed to. Default: nothing is known of it. */
  readonly agreed: AgreedPlaces | undefined;
}

/** What the paths of grants led to when somebody agreed to them. */
export interface AgreedPlaces {
  accepts(key: string, now: Place): boolean;
  /** The command that agrees to what is there now. */
  howToAgree(key: string): string;
}

export interface GrantMounts {
  readonly mounts: readonly GrantMount[];
  /** Folders inside the mounts that must be covered by an empty one. */
  readonly hidden: readonly string[];
}

const placeholders = ['plugin.data', 'project', 'home'].map((name) => `\${${name}}`);
/** Kernel interfaces, sockets of daemons, and the places the plugin's own folders are shown at. */
const refusedFolders = ['/proc', '/sys', '/dev', ...neverGranted.trees];
/** Granting one of these whole would put the host's programs and libraries over the chosen ones. */
const refusedWhole = ['/', ...neverGranted.whole];

/**
 * Turns the filesystem grants into mounts, resolved anew at each launch. Each is known by the object it was judged as:
 * what somebody puts in its place between this look and the mount is not shown. Throws GRANT_INVALID, GRANT_CHANGED or
 * GRANT_UNUSABLE, each with what would mend it.
 */
export async function grantMounts(granted: readonly Permission[], places: GrantPlaces): Promise<GrantMounts> {
  const grants = granted.filter((permission) => permission.kind === 'filesystem');
  const wanted = grants.flatMap((grant) => {
    const path = expand(grant, places);
    return path === undefined ? [] : [{ grant, path }];
  });
  const mounts: GrantMount[] = [];
  // Outer folders first: an inner mount would be hidden by an outer one that follows.
  for (const { grant, path } of wanted.sort((left, right) => left.path.length - right.path.length)) {
    const source = await resolvePlain(grant, path, places);
    await checkUsable(grant, source, places);
    const shown = await identified(grant, path, source, places);
    const covers = (access: FilesystemGrant['access']): boolean =>
      wanted.some((other) => other.grant.access === access && isInside(path, other.path));
    const [writable, executable] = [covers('write'), covers('execute')];
    const outer = mounts.findLast((mount) => isInside(path, mount.target) || isInside(source, mount.target));
    if (outer !== undefined && (outer.writable || !writable) && (outer.executable || !executable)) continue;
    // Inside another mount a link on the way is visible as a link, so the folder is shown at its real place.
    mounts.push({ ...shown, source, target: outer === undefined ? path : source, writable, executable });
  }
  const hidden = mounts
    .filter(({ source }) => isInside(places.homeDirectory, source))
    .map(({ source, target }) => join(target, relative(source, places.homeDirectory)));
  return { mounts, hidden };
}

/**
 * What lies there now, as numbers that the mount is held to. Refused when the path leads to something else than its
 * user agreed to: plugins that write above it, and whoever else can, may put anything in its place.
 */
async function identified(
  grant: FilesystemGrant,
  path: string,
  source: string,
  places: GrantPlaces,
): Promise<Pick<GrantMount, 'grant' | 'device' | 'inode'>> {
  const { dev, ino } = await lstat(source, { bigint: true });
  const now = placeAt(path);
  const key = permissionKey(grant);
  const isSeen = now?.node.device === String(dev) && now.node.inode === String(ino);
  if (isSeen && places.agreed?.accepts(key, now) !== false) {
    return { grant: key, device: now.node.device, inode: now.node.inode };
  }
  const changed = `the grant ${key} leads to something else than when you agreed to it: ${source} was replaced`;
  const again = places.agreed?.howToAgree(key) ?? 'it again';
  const advice = `Look at what is there now. If it is what you mean, run: ${again}`;
  throw new MmmError('GRANT_CHANGED', `Plugin "${places.plugin}" was not started: ${changed}. ${advice}`, {
    plugin: places.plugin,
    grant: key,
    path: source,
  });
}

/** The absolute path a grant means; undefined when it is the plugin's own data, which every plugin has anyway. */
function expand(grant: FilesystemGrant, places: GrantPlaces): string | undefined {
  if (/^\$\{plugin\.data\}(?:\/|$)/.test(grant.path)) return undefined;
  if (/^\$\{project\}(?:\/|$)/.test(grant.path) && places.project === undefined) {
    throw invalid(grant, places, 'There is no project here. Run mmm inside one, or name it with --project.');
  }
  // `folder/**` is another spelling of the folder.
  const tree = grant.path.endsWith('/**') ? grant.path.slice(0, -3) || '/' : grant.path;
  const path = normalize(
    tree.replace(/^\$\{project\}(?=\/|$)/, places.project ?? '').replace(/^\$\{home\}(?=\/|$)/, places.userHome),
  ).replace(/(.)\/$/, '$1');
  if (/\$\{/.test(path)) {
    throw invalid(grant, places, `Only ${placeholders.join(', ')} can be used, each at the start of the path.`);
  }
  if (!isAbsolute(path) || path.includes('\0')) throw invalid(grant, places, 'It must be an absolute path.');
  refuseSpecial(grant, path, places);
  return path;
}

function refuseSpecial(grant: FilesystemGrant, path: string, places: GrantPlaces): void {
  const special = refusedFolders.find((folder) => isInside(path, folder));
  if (special !== undefined) {
    throw invalid(grant, places, `${special} is never shown to a plugin from the host. Grant another folder.`);
  }
  if (refusedWhole.includes(path)) {
    throw invalid(grant, places, `${path} as a whole cannot be granted. Grant the folder inside it that is needed.`);
  }
  if (isInside(path, places.homeDirectory)) {
    throw invalid(grant, places, `It is inside ${places.homeDirectory}, where keys and grants are kept.`);
  }
}

/**
 * Follows the path component by component. A link is followed only where nobody but root could have put it: any other
 * one may be the work of a plugin that can write there, meant for this plugin to follow.
 */
async function resolvePlain(grant: FilesystemGrant, path: string, places: GrantPlaces): Promise<string> {
  let rest = path.split('/').filter((part) => part !== '');
  let current = '/';
  for (let links = 0; rest.length > 0; ) {
    const [name = '', ...others] = rest;
    const next = join(current, name);
    const status = await lstat(next).catch(() => undefined);
    if (status === undefined) throw invalid(grant, places, `${next} does not exist. Create it, or revoke the grant.`);
    if (!status.isSymbolicLink()) {
      current = next;
      rest = others;
      continue;
    }
    const parent = await lstat(current);
    const isRoots = status.uid === 0 && parent.uid === 0 && (parent.mode & 0o022) === 0;
    if (!isRoots) throw invalid(grant, places, await whyNotFollowed(next, path));
    if (++links > 40) throw invalid(grant, places, `${next} is a circle of links.`);
    const target = await readlink(next);
    rest = [...target.split('/').filter((part) => part !== ''), ...others];
    if (target.startsWith('/')) current = '/';
    rest = rest.filter((part) => part !== '.');
    while (rest[0] === '..') {
      current = dirname(current);
      rest = rest.slice(1);
    }
  }
  refuseSpecial(grant, current, places);
  return current;
}

async function whyNotFollowed(link: string, path: string): Promise<string> {
  const [end, target] = await Promise.all([realpath(path).catch(() => undefined), readlink(link)]);
  const leads = end === undefined ? `to ${target}, where nothing is` : `so that the path leads to ${end}`;
  const rule = 'Links are followed only where nobody but root can make them.';
  return `${link} is a link, ${leads}. ${rule} Grant the real path if you made the link yourself, else remove it.`;
}

async function checkUsable(grant: FilesystemGrant, source: string, places: GrantPlaces): Promise<void> {
  const status = await stat(source);
  if (!status.isDirectory() && !status.isFile()) {
    throw invalid(grant, places, `${source} is a socket, a pipe or a device. Only files and folders can be granted.`);
  }
  const wantsWrite = grant.access === 'write';
  const mustEnter = status.isDirectory() || grant.access === 'execute';
  const mode = (wantsWrite ? 0o2 : 0o4) | (mustEnter ? 0o1 : 0);
  const allowed = places.dropsRoot
    ? allowsByMode(status, places.uid, mode)
    : await allowsUs(source, wantsWrite, mustEnter);
  if (allowed) return;
  const verb = wantsWrite ? 'write' : 'read';
  const command = openingCommand(source, verb, places.uid, places.userHome);
  const fix = command ?? `grant a narrower folder, which uid ${places.uid} may ${verb}`;
  throw new MmmError(
    'GRANT_UNUSABLE',
    `Plugin "${places.plugin}" runs as uid ${places.uid}, which cannot ${verb} ${source}. To let it: ${fix}`,
    { plugin: places.plugin, path: source, uid: places.uid, fix },
  );
}

function allowsByMode(status: Stats, uid: number, wanted: number): boolean {
  const shift = status.uid === uid ? 6 : status.gid === uid ? 3 : 0;
  return ((status.mode >> shift) & wanted) === wanted;
}

async function allowsUs(source: string, wantsWrite: boolean, mustEnter: boolean): Promise<boolean> {
  const mode = (wantsWrite ? constants.W_OK : constants.R_OK) | (mustEnter ? constants.X_OK : 0);
  return access(source, mode).then(
    () => true,
    () => false,
  );
}

/** True for the folder itself and for everything in it. */
function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder === '/' ? '/' : `${folder}/`);
}

function invalid(grant: FilesystemGrant, places: GrantPlaces, reason: string): MmmError {
  const key = permissionKey(grant);
  return new MmmError('GRANT_INVALID', `The grant "${key}" of plugin "${places.plugin}" cannot be used. ${reason}`, {
    plugin: places.plugin,
    grant: key,
    reason,
  });
}
