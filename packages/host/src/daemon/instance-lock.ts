import { join } from 'node:path';
import { DatabaseSync, type DatabaseSyncInstance } from '@photostructure/sqlite';

const busyCode = 5;

/**
 * Held by the one daemon of a home for as long as it lives. It is a lock of the kernel's on a file of SQLite's, so that
 * nothing of it is left when its holder is killed, and no file that is left behind ever keeps anybody out.
 */
export class InstanceLock {
  /** Referred to for as long as the lock is held: a connection that nobody refers to is collected, and unlocked. */
  readonly #connection: DatabaseSyncInstance;

  private constructor(connection: DatabaseSyncInstance) {
    this.#connection = connection;
  }

  /** Undefined when another process has it. Never waits. */
  static take(runFolder: string): InstanceLock | undefined {
    const connection = new DatabaseSync(join(runFolder, 'daemon.lock'), { timeout: 0 });
    try {
      connection.exec('BEGIN EXCLUSIVE');
      return new InstanceLock(connection);
    } catch (error) {
      connection.close();
      if ((error as { errcode?: number }).errcode === busyCode) return undefined;
      throw error;
    }
  }

  /** Whether a daemon of this home lives, be it ready or not. */
  static isHeld(runFolder: string): boolean {
    const lock = InstanceLock.take(runFolder);
    lock?.release();
    return lock === undefined;
  }

  release(): void {
    if (this.#connection.isOpen) this.#connection.close();
  }
}
