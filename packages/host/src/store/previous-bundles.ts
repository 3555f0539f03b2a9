import type { Database } from './database.ts';

/** A verified bundle that was the active one of its name and is kept, so that it can be again. */
export interface PreviousBundle {
  readonly bundleSha256: string;
  readonly version: string;
  /** The user excepted this bundle by name from needing a signature. */
  readonly isUnsigned: boolean;
}

/** What was active before, by plugin. */
export interface PreviousBundles {
  /** The newest first. */
  list(plugin: string): readonly PreviousBundle[];
  /** As the newest one. */
  add(plugin: string, bundle: PreviousBundle): void;
  remove(plugin: string, bundleSha256: string): void;
  removeAll(plugin: string): void;
  /** The bundles that must stay in the store for it. */
  bundles(): readonly string[];
}

interface Row {
  readonly bundle_sha256: string;
  readonly version: string;
  readonly is_unsigned: number;
}

/** A table of this name; its newest row has the highest id. */
export const previousBundleTables = `
  CREATE TABLE previous_bundles (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    plugin TEXT NOT NULL,
    bundle_sha256 TEXT NOT NULL,
    version TEXT NOT NULL,
    is_unsigned INTEGER NOT NULL,
    UNIQUE (plugin, bundle_sha256)
  ) STRICT;
  `;

export class SqlitePreviousBundles implements PreviousBundles {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  list(plugin: string): readonly PreviousBundle[] {
    const sql = 'SELECT bundle_sha256, version, is_unsigned FROM previous_bundles WHERE plugin = ? ORDER BY id DESC';
    return this.#database
      .all<Row>(sql, plugin)
      .map((row) => ({ bundleSha256: row.bundle_sha256, version: row.version, isUnsigned: row.is_unsigned === 1 }));
  }

  add(plugin: string, { bundleSha256, version, isUnsigned }: PreviousBundle): void {
    this.#database.transaction('full', () =>
      this.#database.run(
        'INSERT OR REPLACE INTO previous_bundles (plugin, bundle_sha256, version, is_unsigned) VALUES (?, ?, ?, ?)',
        plugin,
        bundleSha256,
        version,
        isUnsigned ? 1 : 0,
      ),
    );
  }

  remove(plugin: string, bundleSha256: string): void {
    const sql = 'DELETE FROM previous_bundles WHERE plugin = ? AND bundle_sha256 = ?';
    this.#database.transaction('full', () => this.#database.run(sql, plugin, bundleSha256));
  }

  removeAll(plugin: string): void {
    this.#database.transaction('full', () =>
      this.#database.run('DELETE FROM previous_bundles WHERE plugin = ?', plugin),
    );
  }

  bundles(): readonly string[] {
    return this.#database
      .all<Pick<Row, 'bundle_sha256'>>('SELECT DISTINCT bundle_sha256 FROM previous_bundles')
      .map((row) => row.bundle_sha256);
  }
}
