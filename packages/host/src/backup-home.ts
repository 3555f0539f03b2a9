import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, lstatSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { MmmError } from '@mmm/protocol';
import type { AuditSink } from './audit/audit-log.ts';
import { writeBackup } from './backup/backup-file.ts';
import { filesOf } from './backup/contents.ts';
import type { Home } from './home.ts';
import type { Store } from './store/store.ts';

export interface BackupReport {
  /** Absolute path. */
  readonly file: string;
  readonly bytes: number;
  /** RFC 3339, UTC. */
  readonly madeAt: string;
  /** The paths of what it holds, as they stand in the home. */
  readonly contents: readonly string[];
}

export interface BackupServices {
  readonly home: Home;
  readonly store: Pick<Store, 'copyTo'>;
  readonly audit: AuditSink;
  now(): Date;
}

/**
 * Writes one file, 0600, from which this home can be restored as it is at this moment, while everything goes on. It is
 * in its place when it is whole and on the disk. Audited, for it holds secrets and keys. Throws BACKUP_INVALID when
 * there is something in its place or it cannot be written.
 */
export async function backUp(file: string, { home, store, audit, now }: BackupServices): Promise<BackupReport> {
  const target = resolve(file);
  if (lstatSync(target, { throwIfNoEntry: false }) !== undefined) throw unwritable(target, 'there is a file already');
  const madeAt = now().toISOString();
  const name = randomBytes(8).toString('hex');
  const fresh = `${target}.${name}.new`;
  const snapshot = join(home.run, `backup-${name}.db`);
  audit.append({ action: 'backup', detail: { file: target } });
  try {
    for (const path of [fresh, snapshot]) closeSync(openSync(path, 'wx', 0o600));
    // The state first: what is in the log then is in the log that is read after it, and more may be.
    await store.copyTo(snapshot);
    const entries = writeBackup(fresh, new Map([['state.db', snapshot], ...filesOf(home.directory)]), madeAt);
    renameSync(fresh, target);
    sync(dirname(target));
    return { file: target, bytes: lstatSync(target).size, madeAt, contents: entries.map(({ path }) => path) };
  } catch (error) {
    throw error instanceof MmmError
      ? error
      : unwritable(target, error instanceof Error ? error.message : String(error), error);
  } finally {
    for (const path of [fresh, snapshot]) {
      for (const companion of ['', '-wal', '-shm', '-journal']) rmSync(path + companion, { force: true });
    }
  }
}

function unwritable(file: string, reason: string, cause?: unknown): MmmError<'BACKUP_INVALID'> {
  const message = `The backup ${file} could not be written: ${reason}. Choose another place, or free some disk space.`;
  return new MmmError('BACKUP_INVALID', message, { file, reason }, { cause });
}

function sync(path: string): void {
  const descriptor = openSync(path, 'r');
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
