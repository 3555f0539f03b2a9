import { hostLimits } from '../limits.ts';
import type { PermissionUse, PermissionUseStore, UseDelta } from './consent.ts';
import type { Database } from './database.ts';

interface Row {
  readonly key: string;
  readonly uses: number;
  readonly last_used_ms: number | null;
  readonly denials: number;
  readonly last_denied_ms: number | null;
}

export class SqlitePermissionUses implements PermissionUseStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  add(plugin: string, deltas: readonly UseDelta[]): void {
    // As statistics: what a power cut takes of it is no loss.
    this.#database.transaction('normal', () => {
      for (const { key, uses, lastUsedMs, denials, lastDeniedMs } of deltas) {
        this.#database.run(
          `INSERT INTO permission_uses VALUES (?, ?, ?, ?, ?, ?)
          ON CONFLICT DO UPDATE SET uses = uses + excluded.uses, denials = denials + excluded.denials,
            last_used_ms = coalesce(excluded.last_used_ms, last_used_ms),
            last_denied_ms = coalesce(excluded.last_denied_ms, last_denied_ms)`,
          plugin,
          key,
          uses,
          lastUsedMs,
          denials,
          lastDeniedMs,
        );
      }
      // What was only refused is of the plugin's choosing: the oldest of it goes.
      this.#database.run(
        `DELETE FROM permission_uses WHERE plugin = ? AND uses = 0 AND key NOT IN (
          SELECT key FROM permission_uses WHERE plugin = ? ORDER BY uses > 0 DESC, last_denied_ms DESC LIMIT ?)`,
        plugin,
        plugin,
        hostLimits.usesCounted,
      );
    });
  }

  list(plugin: string): PermissionUse[] {
    return this.#database
      .all<Row>('SELECT * FROM permission_uses WHERE plugin = ? ORDER BY key', plugin)
      .map((row) => ({
        key: row.key,
        uses: row.uses,
        lastUsedMs: row.last_used_ms,
        denials: row.denials,
        lastDeniedMs: row.last_denied_ms,
      }));
  }

  removeAll(plugin: string): void {
    this.#database.transaction('full', () =>
      this.#database.run('DELETE FROM permission_uses WHERE plugin = ?', plugin),
    );
  }
}
