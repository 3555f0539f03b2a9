import { DatabaseSync, type DatabaseSyncInstance } from '@photostructure/sqlite';

const busyCode = 5;

/**
 * Held by one process at a time, or by one of several parts of a process. A lock of the kernel's on a file of SQLite's:
 * it is free as soon as its holder is gone, kill -9 included, and a file that is left behind keeps nobody out.
 */
export class FileLock {
  /** Referred to for as long as the lock is held: a connection that nobody refers to is collected, and unlocked. */
  readonly #connection: DatabaseSyncInstance;

  private constructor(connection: DatabaseSyncInstance) {
    this.#connection = connection;
  }

  /** Undefined when another one has it. Never waits. Throws what the disk says when the file cannot be made. */
  static take(file: string): FileLock | undefined {
    const connection = new DatabaseSync(file, { timeout: 0 });
    try {
      // The journal in memory: a lock writes nothing, and can be taken while the disk is full.
      connection.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
      return new FileLock(connection);
    } catch (error) {
      connection.close();
      if ((error as { errcode?: number }).errcode === busyCode) return undefined;
      throw error;
    }
  }

  /** Whether anybody has it now. */
  static isHeld(file: string): boolean {
    const lock = FileLock.take(file);
    lock?.release();
    return lock === undefined;
  }

  release(): void {
    if (this.#connection.isOpen) this.#connection.close();
  }
}
