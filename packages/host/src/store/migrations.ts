import { MmmError } from '@mmm/protocol';
import { currentModeTable } from './current-mode.ts';
import type { Database } from './database.ts';
import { eventTables } from './event-journal.ts';
import { modelExchangeTable } from './model-exchanges.ts';
import { previousBundleTables } from './previous-bundles.ts';

/**
 * What turns version n into n + 1 of the schema, in order; never edited once released. The version of a file is its
 * `user_version`; a fresh file has 0.
 */
const migrations: readonly string[] = [
  `
  CREATE TABLE grants (
    plugin TEXT NOT NULL, publisher TEXT NOT NULL, key TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('user', 'flag', 'prompt')), granted_at TEXT NOT NULL,
    PRIMARY KEY (plugin, publisher, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE plugins (
    id TEXT PRIMARY KEY, enabled INTEGER NOT NULL DEFAULT 1,
    bundle_sha256 TEXT, version TEXT, installed_at TEXT, unsigned_exception TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE uids (plugin TEXT PRIMARY KEY, uid INTEGER NOT NULL UNIQUE) STRICT, WITHOUT ROWID;
  CREATE TABLE statistics (
    plugin TEXT PRIMARY KEY, executions INTEGER NOT NULL, failures INTEGER NOT NULL, last_at_ms REAL,
    total_ms REAL NOT NULL, max_ms REAL NOT NULL, loads INTEGER NOT NULL, last_load_ms REAL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE latencies (
    plugin TEXT NOT NULL, bucket INTEGER NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (plugin, bucket)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE exits (
    plugin TEXT NOT NULL, kind TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (plugin, kind)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE last_exits (
    id INTEGER PRIMARY KEY, plugin TEXT NOT NULL, at_ms REAL NOT NULL, kind TEXT NOT NULL,
    detail TEXT NOT NULL, stderr_tail TEXT NOT NULL
  ) STRICT;
  CREATE INDEX last_exits_plugin ON last_exits (plugin, id);
  CREATE TABLE chain_head (
    one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, hash TEXT NOT NULL, bytes INTEGER NOT NULL
  ) STRICT;
  `,
  `
  CREATE TABLE configurations (
    plugin TEXT PRIMARY KEY, config TEXT NOT NULL, changed_at TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE publishers (plugin TEXT PRIMARY KEY, publisher TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE crash_records (plugin TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE restarts (
    plugin TEXT NOT NULL, cause TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (plugin, cause)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE counters (
    plugin TEXT NOT NULL, name TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY (plugin, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE recorded (
    plugin TEXT NOT NULL, name TEXT NOT NULL, labels TEXT NOT NULL, count INTEGER NOT NULL, sum REAL NOT NULL,
    last REAL NOT NULL, PRIMARY KEY (plugin, name, labels)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE waiting_updates (
    plugin TEXT PRIMARY KEY, bundle_sha256 TEXT NOT NULL, version TEXT NOT NULL, is_unsigned INTEGER NOT NULL,
    staged_at TEXT NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE install_steps (
    plugin TEXT NOT NULL, bundle_sha256 TEXT NOT NULL, state TEXT NOT NULL, detail TEXT NOT NULL,
    ended_at TEXT NOT NULL, PRIMARY KEY (plugin, bundle_sha256)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE permission_uses (
    plugin TEXT NOT NULL, key TEXT NOT NULL, uses INTEGER NOT NULL, last_used_ms REAL,
    denials INTEGER NOT NULL, last_denied_ms REAL, PRIMARY KEY (plugin, key)
  ) STRICT, WITHOUT ROWID;
  `,
  `
  CREATE TABLE published_versions (
    plugin TEXT NOT NULL, publisher TEXT NOT NULL, version TEXT NOT NULL, bundle_sha256 TEXT NOT NULL,
    PRIMARY KEY (plugin, publisher, version)
  ) STRICT, WITHOUT ROWID;
  INSERT INTO published_versions
    SELECT plugins.id, publishers.publisher, plugins.version, plugins.bundle_sha256
    FROM plugins JOIN publishers ON publishers.plugin = plugins.id
    WHERE plugins.version IS NOT NULL AND plugins.bundle_sha256 IS NOT NULL;
  `,
  `
  ALTER TABLE grants ADD COLUMN place TEXT;
  `,
  `
  CREATE TABLE state_values (
    id INTEGER PRIMARY KEY, scope TEXT NOT NULL CHECK (scope IN ('plugin', 'project', 'global')), owner TEXT NOT NULL,
    publisher TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, value TEXT NOT NULL, bytes INTEGER NOT NULL,
    writer TEXT NOT NULL, writer_publisher TEXT NOT NULL, UNIQUE (scope, owner, publisher, key)
  ) STRICT;
  CREATE TABLE state_floors (
    scope TEXT NOT NULL, owner TEXT NOT NULL, publisher TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL,
    PRIMARY KEY (scope, owner, publisher, key)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE state_use (
    writer TEXT NOT NULL, writer_publisher TEXT NOT NULL, scope TEXT NOT NULL, owner TEXT NOT NULL,
    keys INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (writer, writer_publisher, scope, owner)
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER state_value_added AFTER INSERT ON state_values BEGIN
    INSERT INTO state_use VALUES (NEW.writer, NEW.writer_publisher, NEW.scope, NEW.owner, 1, NEW.bytes)
      ON CONFLICT DO UPDATE SET keys = keys + 1, bytes = bytes + excluded.bytes;
  END;
  CREATE TRIGGER state_value_removed AFTER DELETE ON state_values BEGIN
    UPDATE state_use SET keys = keys - 1, bytes = bytes - OLD.bytes WHERE writer = OLD.writer
      AND writer_publisher = OLD.writer_publisher AND scope = OLD.scope AND owner = OLD.owner;
    DELETE FROM state_use WHERE keys = 0 AND writer = OLD.writer AND writer_publisher = OLD.writer_publisher
      AND scope = OLD.scope AND owner = OLD.owner;
  END;
  CREATE TRIGGER state_value_changed AFTER UPDATE ON state_values BEGIN
    UPDATE state_use SET keys = keys - 1, bytes = bytes - OLD.bytes WHERE writer = OLD.writer
      AND writer_publisher = OLD.writer_publisher AND scope = OLD.scope AND owner = OLD.owner;
    INSERT INTO state_use VALUES (NEW.writer, NEW.writer_publisher, NEW.scope, NEW.owner, 1, NEW.bytes)
      ON CONFLICT DO UPDATE SET keys = keys + 1, bytes = bytes + excluded.bytes;
    DELETE FROM state_use WHERE keys = 0 AND writer = OLD.writer AND writer_publisher = OLD.writer_publisher
      AND scope = OLD.scope AND owner = OLD.owner;
  END;
  `,
  eventTables,
  currentModeTable,
  previousBundleTables,
  modelExchangeTable,
];

/** The newest schema this mmm knows. */
export const schemaVersion = migrations.length;

/**
 * Brings the file to this mmm's schema in one transaction; several processes may try at once. Throws STATE_UNREADABLE
 * for a file of a newer mmm, whose meaning this one cannot know, and leaves it as it is. `to`: an
 * older schema, for tests.
 */
export function migrate(database: Database, to: number = schemaVersion): void {
  if (versionOf(database) === to) return;
  database.transaction('full', () => {
    const version = versionOf(database);
    for (const migration of migrations.slice(version, to)) database.execute(migration);
    database.execute(`PRAGMA user_version = ${to}`);
  });
}

function versionOf(database: Database): number {
  const version = database.get<{ user_version: number }>('PRAGMA user_version')?.user_version ?? 0;
  if (version > schemaVersion) {
    const reason = `it has version ${version}, and this mmm knows up to ${schemaVersion}`;
    throw new MmmError(
      'STATE_UNREADABLE',
      `The state file ${database.file} was written by a newer mmm: ${reason}. Update mmm, or choose another ` +
        'home with --home.',
      { file: database.file, reason, problem: 'newer' },
    );
  }
  return version;
}
