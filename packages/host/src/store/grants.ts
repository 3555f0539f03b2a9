import { type Permission, parsePermissionKey, permissionKey } from '@mmm/protocol';
import type { Database } from './database.ts';
import type { GrantSource, GrantStore, PlaceOf, StoredGrant } from './store.ts';

interface Row {
  readonly plugin: string;
  readonly publisher: string;
  readonly key: string;
  readonly source: GrantSource;
  readonly granted_at: string;
}

export class SqliteGrants implements GrantStore {
  readonly #database: Database;
  readonly #placeOf: PlaceOf;

  /** `placeOf` says what a permission leads to at the moment it is agreed to. Default: nothing is kept of that. */
  constructor(database: Database, placeOf: PlaceOf = () => undefined) {
    this.#database = database;
    this.#placeOf = placeOf;
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
    const rows = permissions.map((one) => [permissionKey(one), this.#placeOf(one) ?? null] as const);
    this.#database.transaction('full', () => {
      for (const [key, place] of rows) {
        this.#database.run(
          `INSERT INTO grants (plugin, publisher, key, source, granted_at, place) VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT DO UPDATE SET place = excluded.place`,
          ...[plugin, publisher, key, source, grantedAt, place],
        );
      }
    });
  }

  place(plugin: string, publisher: string, key: string): string | null | undefined {
    const where = 'plugin = ? AND publisher = ? AND key = ?';
    const row = this.#database.get<{ place: string | null }>(
      `SELECT place FROM grants WHERE ${where}`,
      ...[plugin, publisher, key],
    );
    return row?.place;
  }

  pin(plugin: string, publisher: string, key: string, place: string): void {
    this.#database.transaction('full', () =>
      this.#database.run(
        'UPDATE grants SET place = ? WHERE plugin = ? AND publisher = ? AND key = ?',
        ...[place, plugin, publisher, key],
      ),
    );
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
