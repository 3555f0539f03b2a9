import type { WaitingUpdateRecord, WaitingUpdateStore } from './consent.ts';
import type { Database } from './database.ts';

interface Row {
  readonly bundle_sha256: string;
  readonly version: string;
  readonly is_unsigned: number;
  readonly staged_at: string;
}

export class SqliteWaitingUpdates implements WaitingUpdateStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get(plugin: string): WaitingUpdateRecord | undefined {
    const row = this.#database.get<Row>('SELECT * FROM waiting_updates WHERE plugin = ?', plugin);
    if (row === undefined) return undefined;
    return {
      bundleSha256: row.bundle_sha256,
      version: row.version,
      isUnsigned: row.is_unsigned === 1,
      stagedAt: row.staged_at,
    };
  }

  set(plugin: string, { bundleSha256, version, isUnsigned, stagedAt }: WaitingUpdateRecord): void {
    this.#database.transaction('full', () =>
      this.#database.run(
        'INSERT OR REPLACE INTO waiting_updates VALUES (?, ?, ?, ?, ?)',
        plugin,
        bundleSha256,
        version,
        isUnsigned ? 1 : 0,
        stagedAt,
      ),
    );
  }

  remove(plugin: string): void {
    this.#database.transaction('full', () =>
      this.#database.run('DELETE FROM waiting_updates WHERE plugin = ?', plugin),
    );
  }

  bundles(): readonly string[] {
    return this.#database
      .all<Pick<Row, 'bundle_sha256'>>('SELECT bundle_sha256 FROM waiting_updates')
      .map((row) => row.bundle_sha256);
  }
}
