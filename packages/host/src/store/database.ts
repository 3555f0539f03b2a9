import { closeSync, constants, fchmodSync, fstatSync, openSync } from 'node:fs';
import { MmmError } from '@mmm/protocol';
import { DatabaseSync, type DatabaseSyncInstance, type StatementSyncInstance } from '@photostructure/sqlite';
import { hostLimits } from '../limits.ts';

/** `full` survives a power cut; `normal` survives kill -9 but may lose the last moments before a power cut. */
export type Durability = 'full' | 'normal';
export type Value = string | number | null;

/** SQLite's result codes that mean "this is not, or no longer, a database". */
const corruptCodes = new Set([11, 26]);
const busyCode = 5;
const ioErrorCode = 10;
const fullCode = 13;
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
    createPrivate(file);
    this.#connection = this.#guard(() => connect(file));
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

  close(): void {
    this.#statements.clear();
    if (this.#connection.isOpen) this.#connection.close();
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

/** Makes the file 0600 before SQLite does it by the umask; SQLite gives -wal and -shm the mode of the file. */
function createPrivate(file: string): void {
  try {
    const descriptor = openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_NOFOLLOW, 0o600);
    try {
      if ((fstatSync(descriptor).mode & 0o777) !== 0o600) fchmodSync(descriptor, 0o600);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new MmmError(
      'STATE_UNREADABLE',
      `The state file ${file} cannot be opened: ${reason}. It must be a regular file that you may read and write.`,
      { file, reason },
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

function codeOf(error: unknown): number {
  const code = (error as { errcode?: unknown }).errcode;
  return typeof code === 'number' ? code & 0xff : -1;
}

function unreadable(file: string, error: unknown): MmmError<'STATE_UNREADABLE'> {
  const reason = error instanceof Error ? error.message : String(error);
  const code = codeOf(error);
  let next = 'Check that the disk is not full and that you may write the file.';
  if (corruptCodes.has(code)) {
    next =
      'Nothing was changed or deleted. Restore the file from a backup, or move it away together with its -wal and ' +
      '-shm files: mmm then starts with an empty one, and permissions must be granted again.';
  } else if (code === fullCode) {
    next =
      'The disk is full. Free some space; `mmm plugin remove` works without it and takes a plugin with its data away.';
  } else if (code === busyCode) {
    next = `Another mmm process has held it for ${hostLimits.stateBusyTimeoutMs} ms. Try again.`;
  }
  return new MmmError(
    'STATE_UNREADABLE',
    `The state file ${file} could not be used: ${reason}. ${next}`,
    { file, reason },
    { cause: error },
  );
}
