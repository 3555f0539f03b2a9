import { createHash, randomBytes } from 'node:crypto';
import {
  closeSync,
  copyFileSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join, resolve } from 'node:path';
import { keepRevocations, withFileLock } from '@mmm/bundle';
import { MmmError } from '@mmm/protocol';
import { systemClock } from '@mmm/rpc';
import { AuditLog } from './audit/audit-log.ts';
import { BackupFile } from './backup/backup-file.ts';
import { planName, putInPlace, type RestorePlan, restoringName } from './backup/finish-restore.ts';
import { inUse, StateLock } from './backup/home-lock.ts';
import { hasDaemon } from './daemon/daemon-record.ts';
import { type Home, homeAt, openHome } from './home.ts';
import { readSettings } from './settings/settings.ts';
import { openStore } from './store/store.ts';

export interface RestoreReport {
  readonly home: string;
  /** When the backup was made: RFC 3339, UTC. */
  readonly madeAt: string;
  /** Where what was there before lies now. Nothing of it is removed. */
  readonly before: string;
}

/**
 * Makes a home what it was when a backup of it was made, or makes a new one of it. All of it is read, checked and
 * written beside what is there before anything is replaced; killed at any moment, the home is wholly the old one or,
 * from the next start on, wholly the new one. What was revoked since stays revoked. Plugins, their data and logs stay
 * as they are. Throws BACKUP_INVALID, HOME_INVALID, and HOME_IN_USE while a daemon or another host is open on it.
 */
export async function restoreHome(directory: string, backup: string): Promise<RestoreReport> {
  const file = resolve(backup);
  const opened = new BackupFile(file);
  try {
    const home = openHome(directory);
    if (hasDaemon(home.run)) throw inUse(home.directory, 'a daemon runs');
    for (const name of readdirSync(home.directory)) {
      // Of a restore that was killed before it counted.
      if (name.startsWith('.restore-')) rmSync(join(home.directory, name), { recursive: true });
    }
    const stamp = new Date(systemClock.now()).toISOString().replaceAll(/[-:.]/g, '');
    const plan = { aside: `before-restore-${stamp}` };
    const staged = join(home.directory, `.restore-${randomBytes(8).toString('hex')}`);
    try {
      await stage(home, staged, opened, { file, plan });
      replace(home, staged);
    } finally {
      rmSync(staged, { recursive: true, force: true });
    }
    return { home: home.directory, madeAt: opened.madeAt, before: join(home.directory, plan.aside) };
  } finally {
    opened.close();
  }
}

/** Writes everything that is to be in the home, with all that has to be changed of it, and syncs it. */
async function stage(
  home: Home,
  folder: string,
  backup: BackupFile,
  { file, plan }: { readonly file: string; readonly plan: RestorePlan },
): Promise<void> {
  mkdirSync(folder, { mode: 0o700 });
  for (const name of ['keys', 'secrets', 'audit']) mkdirSync(join(folder, name), { mode: 0o700 });
  const entries = backup.entries();
  for (const entry of entries) backup.extract(entry, join(folder, entry.path));
  const parts = new Set(entries.map(({ path }) => path.split('/')[0]));
  for (const part of ['config.toml', 'trust.json'] as const) {
    if (!parts.has(part)) write(join(folder, `${part}.none`), '');
  }
  const staged = homeAt(folder);
  await refuseUnusable(staged, file);
  keepWhatWasRevoked(home, staged, parts.has('trust.json'), file);
  continueLog(staged, { file, madeAt: backup.madeAt });
  write(join(folder, planName), JSON.stringify(plan));
  for (const path of ['', 'keys', 'secrets', 'audit']) sync(join(folder, path));
}

/** A home whose settings cannot be read opens no host; that shows here and not after everything was replaced. */
async function refuseUnusable(staged: Home, file: string): Promise<void> {
  try {
    await readSettings(staged.settingsFile);
  } catch (error) {
    throw invalid(file, 'config.toml in it is not valid', error);
  }
}

function keepWhatWasRevoked(home: Home, staged: Home, hasTrust: boolean, file: string): void {
  if (!hasTrust) return;
  const now = contentOf(home.trustFile);
  let text: string;
  try {
    text = keepRevocations(readFileSync(staged.trustFile), now);
  } catch (error) {
    throw invalid(file, 'trust.json in it, or the one of this home, is damaged', error);
  }
  rmSync(staged.trustFile);
  write(staged.trustFile, text);
}

/** Brings the state to this mmm's schema and records the restore in the log that will be the home's. */
function continueLog(staged: Home, detail: { readonly file: string; readonly madeAt: string }): void {
  const opened = `${staged.stateFile}.opened`;
  copyFileSync(staged.stateFile, opened);
  try {
    const store = openStore(opened);
    try {
      const log = new AuditLog({ directory: staged.audit, chain: store.chain, clock: systemClock });
      const { problem } = log.verify();
      if (problem !== undefined) throw new Error(`its audit log is not whole: ${problem.reason}`);
      const sha256 = createHash('sha256').update(readFileSync(staged.stateFile)).digest('hex');
      log.append({ action: 'restore', detail: { ...detail, state_sha256: sha256 } });
      store.checkpoint();
    } finally {
      store.close();
    }
    // A copy: SQLite lets go of a file some time after it was closed.
    copyFileSync(opened, staged.stateFile);
    sync(staged.stateFile);
  } catch (error) {
    throw invalid(detail.file, error instanceof Error ? error.message : String(error), error);
  } finally {
    for (const companion of ['', '-wal', '-shm', '.suspect']) rmSync(opened + companion, { force: true });
  }
}

/** From the one rename on the home is the new one. Nobody else has it open before everything is in its place. */
function replace(home: Home, staged: string): void {
  const state = StateLock.take(home.stateFile, home.directory);
  try {
    const done = withFileLock(join(home.directory, 'restore.lock'), () => {
      putInPlace(home.directory);
      renameSync(staged, join(home.directory, restoringName));
      sync(home.directory);
      putInPlace(home.directory);
    });
    if (done === undefined) throw inUse(home.directory, 'another restore of it does not end');
  } finally {
    state.release();
  }
}

function contentOf(file: string): Buffer | undefined {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

function write(file: string, text: string): void {
  writeFileSync(file, text, { mode: 0o600, flag: 'wx' });
  sync(file);
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function invalid(file: string, reason: string, cause: unknown): MmmError<'BACKUP_INVALID'> {
  const message = `The backup ${file} cannot be restored: ${reason}. Nothing was changed.`;
  return new MmmError('BACKUP_INVALID', message, { file, reason }, { cause });
}
