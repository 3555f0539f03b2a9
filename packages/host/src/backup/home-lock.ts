import { MmmError } from '@mmm/protocol';
import { DatabaseSync, type DatabaseSyncInstance } from '@photostructure/sqlite';
import { processesWithOpen } from '../processes/open-files.ts';

const busyCode = 5;
const notDatabaseCodes = new Set([11, 26]);

/**
 * Keeps everybody else from opening the state of a home: SQLite's own lock, which nobody gets while a connection of any
 * process has the file, and of which nothing is left when its holder is killed.
 */
export class StateLock {
  /** Referred to for as long as it is held: a connection that nobody refers to is collected, and unlocked. */
  readonly #connection: DatabaseSyncInstance | undefined;

  private constructor(connection: DatabaseSyncInstance | undefined) {
    this.#connection = connection;
  }

  /** Throws HOME_IN_USE. A damaged file cannot be locked; then it must be nobody's who can be seen. */
  static take(stateFile: string, home: string): StateLock {
    const others = processesWithOpen(stateFile);
    if (others.length > 0) throw inUse(home, `process ${others.join(', ')} works with it`);
    const connection = new DatabaseSync(stateFile, { timeout: 0 });
    try {
      connection.exec('PRAGMA locking_mode = EXCLUSIVE');
      // Only the last connection of all can leave the mode with a log, and then the file is its alone.
      connection.prepare('PRAGMA journal_mode = DELETE').get();
      connection.exec('BEGIN EXCLUSIVE; COMMIT');
      return new StateLock(connection);
    } catch (error) {
      connection.close();
      const code = (error as { errcode?: number }).errcode ?? 0;
      if (notDatabaseCodes.has(code & 0xff)) return new StateLock(undefined);
      if ((code & 0xff) === busyCode) throw inUse(home, 'a host is open on it');
      throw error;
    }
  }

  release(): void {
    if (this.#connection?.isOpen === true) this.#connection.close();
  }
}

export function inUse(home: string, reason: string): MmmError<'HOME_IN_USE'> {
  return new MmmError(
    'HOME_IN_USE',
    `The home ${home} is in use: ${reason}. Stop the daemon with \`mmm daemon stop\`, end every other mmm, and try ` +
      'again.',
    { home, reason },
  );
}
