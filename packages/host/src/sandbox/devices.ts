import { constants, type Stats } from 'node:fs';
import { access, readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { MmmError, type Permission, permissionKey } from '@mmm/protocol';

/** Where Linux has its sound cards. */
export const soundFolder = '/dev/snd';

/**
 * Which nodes of the sound folder a permission shows. What records (`pcm…c`) is in none: nobody can tell a plugin that
 * plays from one that listens. A sound server is reached by a unix socket, and those no plugin has.
 */
const shownNodes: Readonly<Record<string, RegExp>> = {
  'devices=audio': /^(?:pcmC\d+D\d+p|controlC\d+|timer)$/,
  'devices=midi': /^(?:midiC\d+D\d+|umpC\d+D\d+|seq)$/,
  'system_control=volume': /^controlC\d+$/,
};

export interface DeviceNodes {
  /** Names below the sound folder. */
  readonly names: readonly string[];
  /** Groups that may use them: a plugin that leaves root is put into these. */
  readonly groups: readonly number[];
  readonly folder: string;
}

interface DeviceUser {
  readonly plugin: string;
  readonly uid: number;
  readonly dropsRoot: boolean;
  readonly folder: string;
}

/** The device nodes that the grants show. Throws GRANT_UNUSABLE when a required one has none that can be used. */
export async function deviceNodes(granted: readonly Permission[], user: DeviceUser): Promise<DeviceNodes> {
  const wanted = granted.filter((permission) => shownNodes[permissionKey(permission)] !== undefined);
  const present = wanted.length === 0 ? [] : await readdir(user.folder).catch(() => []);
  const names = new Set<string>();
  const groups = new Set<number>();
  for (const permission of wanted) {
    const shown = present.filter((name) => shownNodes[permissionKey(permission)]?.test(name));
    let usable = 0;
    for (const name of shown) {
      const path = join(user.folder, name);
      const status = await stat(path);
      if (!status.isCharacterDevice() || !(await mayUse(path, status, user))) continue;
      names.add(name);
      usable += 1;
      if (user.dropsRoot && (status.mode & 0o006) !== 0o006) groups.add(status.gid);
    }
    if (usable === 0 && permission.optional !== true) throw unusable(permission, shown, user);
  }
  return { names: [...names].sort(), groups: [...groups], folder: user.folder };
}

/** A plugin that leaves root gets the group, unless that is root's: then whatever root's group may is not for it. */
async function mayUse(path: string, { mode, gid }: Stats, { dropsRoot }: DeviceUser): Promise<boolean> {
  if (dropsRoot) return (mode & 0o006) === 0o006 || (gid !== 0 && (mode & 0o060) === 0o060);
  return await access(path, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}

function unusable(permission: Permission, shown: readonly string[], { plugin, uid, folder }: DeviceUser): MmmError {
  const key = permissionKey(permission);
  const reason =
    shown.length === 0 ? `this machine has nothing for it in ${folder}` : `uid ${uid} may not use what is in ${folder}`;
  const fix =
    shown.length === 0
      ? 'Use it where there is such a device, or ask its author to make the permission optional.'
      : 'Put the user into the group of these devices (`ls -l` shows it), such as: sudo usermod -aG audio USER';
  const sentence = `Plugin "${plugin}" was not started: it needs ${key}, and ${reason}. ${fix}`;
  return new MmmError('GRANT_UNUSABLE', sentence, { plugin, path: folder, uid, fix });
}
