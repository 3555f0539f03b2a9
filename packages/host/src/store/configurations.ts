import type { Database } from './database.ts';
import type { ConfigurationStore } from './store.ts';

type Table = Readonly<Record<string, unknown>>;

export class SqliteConfigurations implements ConfigurationStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  read(plugin: string): Table {
    const row = this.#database.get<{ config: string }>('SELECT config FROM configurations WHERE plugin = ?', plugin);
    return row === undefined ? {} : (JSON.parse(row.config) as Table);
  }

  update(plugin: string, changedAt: string, change: (config: Table) => Table): void {
    this.#database.transaction('full', () => {
      const config = change(this.read(plugin));
      if (Object.keys(config).length === 0) {
        this.#database.run('DELETE FROM configurations WHERE plugin = ?', plugin);
        return;
      }
      this.#database.run(
        `INSERT INTO configurations VALUES (?, ?, ?)
        ON CONFLICT DO UPDATE SET config = excluded.config, changed_at = excluded.changed_at`,
        plugin,
        JSON.stringify(config),
        changedAt,
      );
    });
  }

  remove(plugin: string): void {
    this.#database.transaction('full', () => this.#database.run('DELETE FROM configurations WHERE plugin = ?', plugin));
  }
}
