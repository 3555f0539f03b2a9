import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Database } from '../../../../packages/host/src/store/database.ts';
import { migrate, schemaVersion } from '../../../../packages/host/src/store/migrations.ts';
import { tempFolder } from '../../../support/temp-folder.ts';

/**
 * What the schema of each version that was ever written to a disk is, by its sha256. A line that does not hold any more
 * means that a migration was edited which files out there have behind them: add another one instead.
 */
const frozen: Readonly<Record<number, string>> = {
  1: 'db531b943ba0cef2b5fc4050d4d9f4fb9c3053f1792419c04a2dd922322fe0e1',
  2: 'ced062f8d2632898bb287bfaa76775a91d924d2fe0b6a8c858ee73d3ed246a62',
  3: 'ada37eacca8c334634c127331b03cba39cf27cd24798a9613f73dcbd860eee99',
  4: 'b4b1f9b7c0a2aa5a9429c57d2923be26b28e9aa1cd023b169bf85956e60631fa',
  5: 'ff2e22fc813e1f11e081792cfedcae184bb05b658e058a21af557195c63cecfc',
  6: '96d65213ab190a20306baac8815d6cbb27cbef0b640bd35387d7e7ec0bd1ab0c',
  7: '883944b4ef2f6b16d3efab5f78e879c1534ff8a0967a7667a2c5ba3eb79c5b10',
};

interface Column {
  readonly name: string;
  readonly type: string;
  readonly pk: number;
}

function at(t: TestContext, version: number): Database {
  const database = new Database(join(tempFolder(t), 'state.db'));
  t.after(() => database.close());
  migrate(database, version);
  return database;
}

function schemaOf(database: Database): readonly string[] {
  const rows = database.all<{ sql: string | null }>('SELECT sql FROM sqlite_schema ORDER BY type, name');
  return rows.flatMap(({ sql }) => (sql === null ? [] : [sql.replaceAll(/\s+/g, ' ')]));
}

function tablesOf(database: Database): readonly string[] {
  const rows = database.all<{ name: string }>(
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name",
  );
  return rows.map(({ name }) => name);
}

function columnsOf(database: Database, table: string): readonly Column[] {
  return database.all<Column>(`SELECT name, type, pk FROM pragma_table_info('${table}')`);
}

/** Values that fit the checks of all tables. */
const fitting: Readonly<Record<string, string | number>> = { source: 'user', one: 1, scope: 'global' };

/** One row in a table, whatever its columns are; the same each time. Tables of one row may have theirs. */
function addRow(database: Database, table: string): void {
  const columns = columnsOf(database, table);
  const values = columns.map(({ name, type }, index) => {
    return fitting[name] ?? (type === 'TEXT' ? `${table}-${name}` : type === 'REAL' ? 1.5 + index : 7 + index);
  });
  const names = columns.map(({ name }) => `"${name}"`).join(', ');
  database.run(`INSERT OR IGNORE INTO ${table} (${names}) VALUES (${columns.map(() => '?').join(', ')})`, ...values);
}

function rowsOf(database: Database, table: string, columns: readonly Column[]): readonly object[] {
  const names = columns.map(({ name }) => `"${name}"`).join(', ');
  return database.all<object>(`SELECT ${names} FROM ${table} ORDER BY 1, 2`).map((row) => ({ ...row }));
}

test('a file of each older version becomes what a new one is, and every row in it is kept', (t) => {
  const newest = schemaOf(at(t, schemaVersion));
  for (let version = 0; version < schemaVersion; version += 1) {
    const database = at(t, version);
    const tables = tablesOf(database);
    for (const table of tables) addRow(database, table);
    const before = tables.map((table) => {
      const columns = columnsOf(database, table);
      return { table, columns, rows: rowsOf(database, table, columns) };
    });
    migrate(database);
    assert.equal(database.get<{ user_version: number }>('PRAGMA user_version')?.user_version, schemaVersion);
    assert.deepEqual(schemaOf(database), newest, `from version ${version}`);
    for (const { table, columns, rows } of before) {
      const kept = rowsOf(database, table, columns).map((row) => JSON.stringify(row));
      for (const row of rows) assert.ok(kept.includes(JSON.stringify(row)), `${table} of version ${version}`);
    }
    assert.equal(database.get<{ quick_check: string }>('PRAGMA quick_check')?.quick_check, 'ok');
  }
});

test('no migration that is out there was edited', (t) => {
  for (const [version, sha256] of Object.entries(frozen)) {
    const schema = schemaOf(at(t, Number(version))).join(';\n');
    assert.equal(createHash('sha256').update(schema).digest('hex'), sha256, `version ${version}`);
  }
});

test('a migration that fails changes nothing', (t) => {
  const database = at(t, 1);
  database.execute('CREATE TABLE configurations (in_the_way TEXT) STRICT');
  const before = schemaOf(database);
  assert.throws(() => migrate(database), /configurations/);
  assert.deepEqual(schemaOf(database), before);
  assert.equal(database.get<{ user_version: number }>('PRAGMA user_version')?.user_version, 1);
});
