import { closeSync, copyFileSync, fsyncSync, lstatSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { withFileLock } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import { AuditLog } from './audit/audit-log.ts';
import { lastEntry } from './audit/last-entry.ts';
import type { Home } from './home.ts';
import { hostLimits } from './limits.ts';
import { processesWithOpen } from './processes/open-files.ts';
import { openStore, type PlaceOf, type Store } from './store/store.ts';

/** A state file that was damaged: where it lies now, and what was wrong with it. */
export interface SetAside {
  readonly file: string;
  readonly reason: string;
}

export interface StateFileServices {
  readonly clock: Pick<Clock, 'now'>;
  readonly placeOf?: PlaceOf;
}

const companions = ['', '-wal', '-shm'] as const;

/**
 * Opens the state of a home. A damaged file is set aside, with its companions, and never deleted; in its place comes
 * one in which nothing is granted, every installed plugin is disabled until its user enables it, no uid is given again,
 * and the audit log goes on. Both are in place before anybody can open the one and miss the other. Throws
 * STATE_UNREADABLE, also for a file of a newer mmm, and for a damaged one that another process has open.
 */
export function openStateFile(
  home: Home,
  services: StateFileServices,
): { readonly store: Store; readonly setAside: SetAside | null } {
  const open = (): Store => openStore(home.stateFile, services.placeOf);
  const first = isInterrupted(home.stateFile) ? interrupted(home.stateFile) : attempt(open);
  if (!(first instanceof MmmError)) return { store: first, setAside: null };
  const locked = withFileLock(`${home.stateFile}.lock`, () => {
    // Another process may have done it meanwhile.
    const again = isInterrupted(home.stateFile) ? interrupted(home.stateFile) : attempt(open);
    if (!(again instanceof MmmError)) return { store: again, setAside: null };
    const setAside = replace(home, again.data.reason, services);
    return { store: open(), setAside };
  });
  if (locked === undefined) throw inUse(home.stateFile, 'another process is setting it aside');
  return locked.value;
}

/** Damaged state files of a home that were set aside, oldest first. */
export function damagedFiles(stateFile: string): readonly string[] {
  const prefix = `${basename(stateFile)}.damaged-`;
  const folder = dirname(stateFile);
  const names = readdirSync(folder).filter((name) => name.startsWith(prefix) && !/-(?:wal|shm)$/.test(name));
  return names.sort().map((name) => join(folder, name));
}

/** The store, or the error of a damaged file; throws every other one. */
function attempt(open: () => Store): Store | MmmError<'STATE_UNREADABLE'> {
  try {
    return open();
  } catch (error) {
    if (MmmError.is(error, 'STATE_UNREADABLE') && error.data.problem === 'corrupt') return error;
    throw error;
  }
}

/** Without the file itself there is what only this leaves: its process was killed between two renames. */
function isInterrupted(file: string): boolean {
  return !exists(file) && (exists(`${file}-wal`) || damagedFiles(file).length > 0);
}

function interrupted(file: string): MmmError<'STATE_UNREADABLE'> {
  const reason = 'it was being set aside when mmm was killed';
  return new MmmError('STATE_UNREADABLE', reason, { file, reason, problem: 'corrupt' });
}

function replace(home: Home, reason: string, { clock }: StateFileServices): SetAside {
  const { stateFile } = home;
  const others = processesWithOpen(stateFile);
  if (others.length > 0) throw inUse(stateFile, `it is damaged, and process ${others.join(', ')} has it open`);
  const stamp = new Date(clock.now()).toISOString().replaceAll(/[-:.]/g, '');
  const aside = freeName(`${stateFile}.damaged-${stamp}`);
  const fresh = `${stateFile}.fresh`;
  const next = prepare(fresh, home, { file: aside, reason }, clock);
  for (const companion of companions) {
    if (exists(stateFile + companion)) renameSync(stateFile + companion, aside + companion);
  }
  rmSync(`${stateFile}.suspect`, { force: true });
  renameSync(next, stateFile);
  syncPath(dirname(stateFile));
  for (const companion of companions) rmSync(fresh + companion, { force: true });
  return { file: aside, reason };
}

/**
 * Writes the next state file and returns where it lies. What it cannot know it takes for the worst. It is a copy, since
 * SQLite lets go of a file and of its log only when every statement was collected, some time after it was closed.
 */
function prepare(fresh: string, home: Home, { file, reason }: SetAside, clock: Pick<Clock, 'now'>): string {
  for (const companion of companions) rmSync(fresh + companion, { force: true });
  const store = openStore(fresh);
  try {
    for (const id of installedIds(home)) store.plugins.setEnabled(id, false);
    const uid = highestUid(home.data);
    if (uid >= hostLimits.pluginUidFirst) store.plugins.uidOf(':set-aside', uid);
    const head = lastEntry(home.audit);
    if (head.seq > 0) store.chain.advance(() => head);
    new AuditLog({ directory: home.audit, chain: store.chain, clock }).append({
      action: 'state_set_aside',
      detail: { file: basename(file), reason, granted: 'nothing', disabled: installedIds(home) },
    });
    store.checkpoint();
  } finally {
    store.close();
  }
  const whole = `${fresh}.whole`;
  rmSync(whole, { force: true });
  copyFileSync(fresh, whole);
  syncPath(whole);
  return whole;
}

/** Links have the names of plugins with their `/` written as `__`, which no name contains. */
function installedIds({ plugins }: Home): readonly string[] {
  return readdirSync(plugins)
    .filter((name) => !name.startsWith('.'))
    .map((name) => name.replace('__', '/'));
}

/** Of those that folders of data belong to: a plugin that got one of them could read what is not its own. */
function highestUid(data: string): number {
  return Math.max(0, ...readdirSync(data).map((name) => lstatSync(join(data, name)).uid));
}

function inUse(file: string, reason: string): MmmError<'STATE_UNREADABLE'> {
  return new MmmError(
    'STATE_UNREADABLE',
    `The state file ${file} cannot be opened: ${reason}. End every mmm process of this home and try again.`,
    { file, reason, problem: 'busy' },
  );
}

function freeName(path: string): string {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? path : `${path}.${number}`;
    if (!exists(name)) return name;
  }
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function syncPath(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
