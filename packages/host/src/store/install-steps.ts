import type { InstallStepRecord, InstallStepStore } from './consent.ts';
import type { Database } from './database.ts';

interface Row {
  readonly bundle_sha256: string;
  readonly state: InstallStepRecord['state'];
  readonly detail: string;
  readonly ended_at: string;
}

export class SqliteInstallSteps implements InstallStepStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get(plugin: string, bundleSha256: string): InstallStepRecord | undefined {
    const row = this.#database.get<Row>(
      'SELECT * FROM install_steps WHERE plugin = ? AND bundle_sha256 = ?',
      plugin,
      bundleSha256,
    );
    if (row === undefined) return undefined;
    return { bundleSha256: row.bundle_sha256, state: row.state, detail: row.detail, endedAt: row.ended_at };
  }

  set(plugin: string, { bundleSha256, state, detail, endedAt }: InstallStepRecord): void {
    this.#database.transaction('full', () =>
      this.#database.run(
        'INSERT OR REPLACE INTO install_steps VALUES (?, ?, ?, ?, ?)',
        plugin,
        bundleSha256,
        state,
        detail,
        endedAt,
      ),
    );
  }

  removeAll(plugin: string): void {
    this.#database.transaction('full', () => this.#database.run('DELETE FROM install_steps WHERE plugin = ?', plugin));
  }
}
