import { closeSync, fsyncSync, lstatSync, mkdirSync, openSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { withFileLock } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import { type BackedUp, backedUp } from './contents.ts';

/** A restored home that is whole, and not in its place yet. From the moment it has this name it will be. */
export const restoringName = 'restoring';
/** In that folder: where what was there before goes. */
export const planName = 'plan.json';

export interface RestorePlan {
  /** The name of a folder in the home. */
  readonly aside: string;
}

/**
 * Puts a restored home in its place, part after part, if there is one. What was there before is moved aside, never
 * removed. Whoever opens a home does this first, so that a restore that was killed is either not begun or ended.
 */
export function finishRestore(home: string): void {
  if (!exists(join(home, restoringName))) return;
  const done = withFileLock(join(home, 'restore.lock'), () => putInPlace(home));
  if (done !== undefined) return;
  const reason = 'a restore of it does not end';
  throw new MmmError('HOME_INVALID', `The mmm home ${home} cannot be opened now: ${reason}. Try again.`, {
    path: home,
    reason,
  });
}

/** Every step may be made again. The caller holds the lock. */
export function putInPlace(home: string): void {
  const folder = join(home, restoringName);
  if (!exists(folder)) return;
  const { aside } = JSON.parse(readFileSync(join(folder, planName), 'utf8')) as RestorePlan;
  const before = join(home, aside);
  mkdirSync(before, { recursive: true, mode: 0o700 });
  for (const part of backedUp) {
    const restored = join(folder, part);
    // Moved already, unless the backup has no such part: then what is there now goes, once.
    if (!exists(restored) && !isLeftOut(folder, part)) continue;
    moveAside(home, before, part);
    if (exists(restored)) renameSync(restored, join(home, part));
    else rmSync(join(folder, `${part}.none`));
  }
  sync(home);
  rmSync(folder, { recursive: true });
  sync(home);
}

/** The log of a database before the database: alone it would be taken for the next one's. */
function moveAside(home: string, before: string, part: BackedUp): void {
  const names = part === 'state.db' ? ['state.db-wal', 'state.db-shm', part] : [part];
  for (const name of names) {
    const from = join(home, name);
    if (exists(from)) renameSync(from, freeName(join(before, name)));
  }
}

function freeName(path: string): string {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? path : `${path}.${number}`;
    if (!exists(name)) return name;
  }
}

function isLeftOut(folder: string, part: BackedUp): boolean {
  return exists(join(folder, `${part}.none`));
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
