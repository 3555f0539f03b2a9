import { closeSync, constants, fchmodSync, fstatSync, lstatSync, openSync } from 'node:fs';
import { MmmError, type StorageProblem } from '@mmm/protocol';
import { backup, DatabaseSync, type DatabaseSyncInstance, type StatementSyncInstance } from '@photostructure/sqlite';
import { hostLimits } from '../limits.ts';
import { clear, isSuspected, suspect } from './suspicion.ts';

/** `full` survives a power cut; `normal` survives kill -9 but may lose the last moments before a power cut. */
export type Durability = 'full' | 'normal';
export type Value = string | number | null;

/** SQLite's result codes that mean "this is not, or no longer, a database". */
const corruptCodes = new Set([11, 26]);
const busyCode = 5;
const ioErrorCode = 10;
const fullCode = 13;
/** Pages of one step of a copy, 4 MiB: between two steps others write. */
const copyPages = 1024;
/** How long one wait for another process that creates the same file takes, in milliseconds. */
const createWaitMs = 25;

/**
 * One connection to state.db. Everything it throws is STATE_UNREADABLE with the file and what to do. Holds strong
 * references to its statements: a DatabaseSync that nobody refers to is collected and closed.
 */
export class Database {
  readonly file: string;
  readonly #connection: DatabaseSyncInstance;
  readonly #statements = new Map<string, StatementSyncInstance>();
  #inTransaction = false;

  constructor(file: string) {
    this.file = file;
    const made = createPrivate(file);
    this.#connection = this.#guard(() => connect(file));
    this.#assertStill(made);
    if (isSuspected(file)) this.#examine();
  }

  get<Row>(sql: string, ...values: readonly Value[]): Row | undefined {
    return this.#guard(() => this.#prepare(sql).get(...values) as Row | undefined);
  }

  all<Row>(sql: string, ...values: readonly Value[]): Row[] {
    return this.#guard(() => this.#prepare(sql).all(...values) as Row[]);
  }

  /** Returns the number of rows changed. */
  run(sql: string, ...values: readonly Value[]): number {
    return this.#guard(() => Number(this.#prepare(sql).run(...values).changes));
  }

  /** Several statements without parameters. */
  execute(sql: string): void {
    this.#guard(() => this.#connection.exec(sql));
  }

  /**
   * Runs `work` while no other process can write; all of it is stored, or nothing. The lock is taken first (BEGIN
   * IMMEDIATE), so that what `work` reads is still true when it writes. An error of `work` passes through unchanged.
   */
  transaction<T>(durability: Durability, work: () => T): T {
    if (this.#inTransaction) return work();
    // The pragma has no effect inside a transaction, so it is set before each.
    this.execute(`PRAGMA synchronous = ${durability === 'full' ? 'FULL' : 'NORMAL'}`);
    this.execute('BEGIN IMMEDIATE');
    this.#inTransaction = true;
    try {
      const result = work();
      this.execute('COMMIT');
      return result;
    } catch (error) {
      this.#rollback();
      throw error;
    } finally {
      this.#inTransaction = false;
    }
  }

  /** Writes what is committed into another file, page by page, while this and other connections go on. */
  async copyTo(file: string): Promise<void> {
    try {
      await backup(this.#connection, file, { rate: copyPages });
    } catch (error) {
      throw unreadable(this.file, error);
    }
  }

  /** Moves the whole write-ahead log into the file, synced. Throws while another process reads or writes. */
  checkpoint(): void {
    const row = this.get<{ busy: number }>('PRAGMA wal_checkpoint(TRUNCATE)');
    if (row?.busy === 1) throw unreadable(this.file, Object.assign(new Error('it is in use'), { errcode: busyCode }));
  }

  close(): void {
    this.#statements.clear();
    if (this.#connection.isOpen) this.#connection.close();
  }

  /** A restore may have put another file in its place while this waited for the lock on the one before. */
  #assertStill(made: number): void {
    if (lstatSync(this.file, { throwIfNoEntry: false })?.ino === made) return;
    this.close();
    throw unreadable(this.file, Object.assign(new Error('it was replaced just now'), { errcode: busyCode }));
  }

  /** Reads all of it: what was damaged lies somewhere, and what the first look sees may be whole. */
  #examine(): void {
    try {
      const row = this.get<{ quick_check: string }>('PRAGMA quick_check(1)');
      if (row?.quick_check !== 'ok') throw unreadable(this.file, damaged(row?.quick_check));
      clear(this.file);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #rollback(): void {
    try {
      if (this.#connection.isTransaction) this.#connection.exec('ROLLBACK');
    } catch {
      // SQLite has rolled back by itself (disk full, I/O error); the first error is the one to report.
    }
  }

  #prepare(sql: string): StatementSyncInstance {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#connection.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw unreadable(this.file, error);
    }
  }
}

function damaged(finding: string | undefined): Error {
  return Object.assign(new Error(finding ?? 'it cannot be checked'), { errcode: 11 });
}

/**
 * Makes the file 0600 before SQLite does it by the umask; SQLite gives -wal and -shm the mode of the file. Returns the
 * number of its inode.
 */
function createPrivate(file: string): number {
  try {
    const descriptor = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      const { mode, ino } = fstatSync(descriptor);
      if ((mode & 0o777) !== 0o600) fchmodSync(descriptor, 0o600);
      return ino;
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MmmError(
      'STATE_UNREADABLE',
      `The state file ${file} cannot be opened: ${reason}. It must be a regular file that you may read and write.`,
      { file, reason, problem: 'other' },
      { cause: error },
    );
  }
}

function connect(file: string): DatabaseSyncInstance {
  try {
    return open(file, useWriteAheadLog);
  } catch (error) {
    if (codeOf(error) !== ioErrorCode) throw error;
    // SQLite's -shm file, which processes share, takes 32 KiB. On a full disk this one goes on alone without it, so
    // that what fills the disk can be found and removed; the next one shares again.
    return open(file, (connection) => connection.exec('PRAGMA locking_mode = EXCLUSIVE'));
  }
}

function open(file: string, prepare: (connection: DatabaseSyncInstance) => void): DatabaseSyncInstance {
  const connection = new DatabaseSync(file, {
    timeout: hostLimits.stateBusyTimeoutMs,
    enableForeignKeyConstraints: true,
  });
  try {
    prepare(connection);
    // The first look at the file: what is wrong with it shows here.
    connection.prepare('PRAGMA user_version').get();
    return connection;
  } catch (error) {
    connection.close();
    throw error;
  }
}

/**
 * SQLite does not wait while another process makes the same switch on a fresh file: it fails at once. So this waits
 * instead, blocking, as a write that meets another one does; it happens once in the life of a file.
 */
function useWriteAheadLog(connection: DatabaseSyncInstance): void {
  const still = new Int32Array(new SharedArrayBuffer(4));
  for (let waitedMs = 0; ; waitedMs += createWaitMs) {
    try {
      const { journal_mode: mode } = connection.prepare('PRAGMA journal_mode').get() as { journal_mode?: unknown };
      if (mode !== 'wal') connection.exec('PRAGMA journal_mode = WAL');
      return;
    } catch (error) {
      if (codeOf(error) !== busyCode || waitedMs >= hostLimits.stateBusyTimeoutMs) throw error;
      Atomics.wait(still, 0, 0, createWaitMs);
    }
  }
}

/** What SQLite says of these codes: the binding gives no code with what fails while many rows are read. */
const codesOfWords: Readonly<Record<string, number>> = {
  'database is locked': busyCode,
  'disk I/O error': ioErrorCode,
  'database disk image is malformed': 11,
  'database or disk is full': fullCode,
  'file is not a database': 26,
};

function codeOf(error: unknown): number {
  const { errcode, message } = error as { readonly errcode?: unknown; readonly message?: unknown };
  if (typeof errcode === 'number') return errcode & 0xff;
  return codesOfWords[String(message)] ?? -1;
}

/** SQLite's codes for what the system said. */
const systemCodes: Readonly<Record<string, number>> = { ENOSPC: fullCode, EDQUOT: fullCode, EIO: ioErrorCode };

/** The error for what went wrong with the file: named, with what to do. `error` is SQLite's or the system's. */
export function unreadable(file: string, error: unknown): MmmError<'STATE_UNREADABLE'> {
  const reason = error instanceof Error ? error.message : String(error);
  const code = systemCodes[(error as NodeJS.ErrnoException).code ?? ''] ?? codeOf(error);
  let next = 'Check that the disk is not full and that you may write the file.';
  let problem: StorageProblem = 'other';
  if (corruptCodes.has(code)) {
    problem = 'corrupt';
    suspect(file);
    next =
      'It is damaged. Nothing was deleted: the next start of mmm sets it aside and begins an empty one, in which ' +
      'nothing is granted. If you have a backup: mmm restore FILE';
  } else if (code === fullCode) {
    problem = 'full';
    next =
      'The disk is full. Free some space; `mmm plugin remove` works without it and takes a plugin with its data away.';
  } else if (code === ioErrorCode) {
    problem = 'io';
    next = 'The disk reports an error: look at what the kernel says of it (dmesg), and make a backup elsewhere.';
  } else if (code === busyCode) {
    problem = 'busy';
    next = `Another mmm process has held it for ${hostLimits.stateBusyTimeoutMs} ms. Try again.`;
  }
  return new MmmError(
    'STATE_UNREADABLE',
    `The state file ${file} could not be used: ${reason}. ${next}`,
    { file, reason, problem },
    { cause: error },
  );
}
