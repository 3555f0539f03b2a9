import { lstatSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/**
 * What a backup holds, in the order in which it is put back. Not the plugins themselves, which their publishers have,
 * and not their data folders, which may be large and are written while they run; nothing that can be made anew.
 */
export const backedUp = ['state.db', 'config.toml', 'trust.json', 'keys', 'secrets', 'audit'] as const;
export type BackedUp = (typeof backedUp)[number];

/** Folders are flat, and no name in them leads anywhere else. */
const inFolder = /^(?:keys|secrets|audit)\/(?!\.)[A-Za-z0-9._@+-]{1,200}$/;
/** Left by a write that did not end, or by a lock. */
const passing = /\.(?:lock|new|tmp)$|\.lock\.|\.\d{6,}$/;

/** Whether a path may stand in a backup: whatever it says is written below a home. */
export function isBackedUp(path: string): boolean {
  return path === 'state.db' || path === 'config.toml' || path === 'trust.json' || inFolder.test(path);
}

/** The files of a home that a backup takes as they are, by their paths there: all but the state. */
export function filesOf(home: string): ReadonlyMap<string, string> {
  const paths = backedUp.flatMap((part): readonly string[] => {
    const entry = lstatSync(join(home, part), { throwIfNoEntry: false });
    if (part === 'state.db' || entry === undefined) return [];
    if (entry.isFile()) return [part];
    return entry.isDirectory() ? readdirSync(join(home, part)).map((name) => `${part}/${name}`) : [];
  });
  return new Map(
    paths
      .filter((path) => isBackedUp(path) && !passing.test(path))
      .map((path): [string, string] => [path, join(home, path)])
      .filter(([, file]) => lstatSync(file, { throwIfNoEntry: false })?.isFile() === true),
  );
}
