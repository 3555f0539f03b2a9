import { type Permission, parsePermissionKey, permissionKey } from '@mmm/protocol';
import type { Database } from './database.ts';
import type { GrantSource, GrantStore, StoredGrant } from './store.ts';

interface Row {
  readonly plugin: string;
  readonly publisher: string;
  readonly key: string;
  readonly source: GrantSource;
  readonly granted_at: string;
}

export class SqliteGrants implements GrantStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  list(plugin: string, publisher?: string): StoredGrant[] {
    const rows =
      publisher === undefined
        ? this.#database.all<Row>('SELECT * FROM grants WHERE plugin = ? ORDER BY key, publisher', plugin)
        : this.#database.all<Row>(
            'SELECT * FROM grants WHERE plugin = ? AND publisher = ? ORDER BY key',
            plugin,
            publisher,
          );
    return rows.flatMap(grantOf);
  }

  add(
    plugin: string,
    publisher: string,
    permissions: readonly Permission[],
    source: GrantSource,
    grantedAt: string,
  ): void {
    this.#database.transaction('full', () => {
      for (const permission of permissions) {
        this.#database.run(
          'INSERT INTO grants VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
          plugin,
          publisher,
          permissionKey(permission),
          source,
          grantedAt,
        );
      }
    });
  }

  remove(plugin: string, keys: readonly string[]): number {
    return this.#database.transaction('full', () => {
      let removed = 0;
      for (const key of keys)
        removed += this.#database.run('DELETE FROM grants WHERE plugin = ? AND key = ?', plugin, key);
      return removed;
    });
  }

  refile(from: string, to: string): void {
    this.#database.transaction('full', () => {
      this.#database.run('UPDATE OR IGNORE grants SET publisher = ? WHERE publisher = ?', to, from);
      this.#database.run('DELETE FROM grants WHERE publisher = ?', from);
    });
  }

  removeAll(plugin: string): number {
    return this.#database.transaction('full', () => this.#database.run('DELETE FROM grants WHERE plugin = ?', plugin));
  }
}

/** The key is all that is stored of a permission; one that no longer reads as a permission grants nothing. */
function grantOf(row: Row): StoredGrant[] {
  const permission = parsePermissionKey(row.key);
  if ('problem' in permission) return [];
  const { plugin, publisher, key, source, granted_at: grantedAt } = row;
  return [{ plugin, publisher, key, permission, source, grantedAt }];
}
