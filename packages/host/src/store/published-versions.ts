import type { Database } from './database.ts';
import type { PublishedVersions } from './store.ts';

export class SqlitePublishedVersions implements PublishedVersions {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  bundleOf(plugin: string, publisher: string, version: string): string | null {
    const row = this.#database.get<{ bundle_sha256: string }>(
      'SELECT bundle_sha256 FROM published_versions WHERE plugin = ? AND publisher = ? AND version = ?',
      plugin,
      publisher,
      version,
    );
    return row?.bundle_sha256 ?? null;
  }

  installed(plugin: string, publisher: string, version: string, bundleSha256: string): void {
    this.#database.transaction('full', () =>
      this.#database.run(
        'INSERT OR REPLACE INTO published_versions VALUES (?, ?, ?, ?)',
        plugin,
        publisher,
        version,
        bundleSha256,
      ),
    );
  }

  refile(from: string, to: string): void {
    this.#database.transaction('full', () => {
      this.#database.run('UPDATE OR IGNORE published_versions SET publisher = ? WHERE publisher = ?', to, from);
      this.#database.run('DELETE FROM published_versions WHERE publisher = ?', from);
    });
  }
}
