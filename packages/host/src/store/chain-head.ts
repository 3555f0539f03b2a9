import type { Database } from './database.ts';
import type { ChainHead, Head } from './store.ts';

export const emptyHead: Head = { seq: 0, hash: '0'.repeat(64), bytes: 0 };

export class SqliteChainHead implements ChainHead {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  read(): Head {
    return this.#database.get<Head>('SELECT seq, hash, bytes FROM chain_head') ?? emptyHead;
  }

  advance(append: (head: Head) => Head): Head {
    // Normal is enough: the log itself is synced before, and a head that a power cut set back is caught up from the
    // log, as after a kill. It saves the second fsync of each launch.
    return this.#database.transaction('normal', () => {
      const next = append(this.read());
      this.#database.run('INSERT OR REPLACE INTO chain_head VALUES (1, ?, ?, ?)', next.seq, next.hash, next.bytes);
      return next;
    });
  }
}
