import { MmmError } from '@mmm/protocol';
import { hostLimits } from '../limits.ts';
import type { Database } from './database.ts';
import type { Installation, PluginRecord, PluginRecords } from './store.ts';

interface Row {
  readonly id: string;
  readonly enabled: number;
  readonly bundle_sha256: string | null;
  readonly version: string | null;
  readonly installed_at: string | null;
  readonly unsigned_exception: string | null;
  readonly publisher: string | null;
  readonly uid: number | null;
}

const select =
  'SELECT plugins.*, uids.uid, publishers.publisher FROM plugins ' +
  'LEFT JOIN uids ON uids.plugin = plugins.id LEFT JOIN publishers ON publishers.plugin = plugins.id';

export class SqlitePluginRecords implements PluginRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get(id: string): PluginRecord | undefined {
    const row = this.#database.get<Row>(`${select} WHERE id = ?`, id);
    return row === undefined ? undefined : recordOf(row);
  }

  list(): PluginRecord[] {
    return this.#database.all<Row>(`${select} ORDER BY id`).map(recordOf);
  }

  installed(id: string, installation: Installation): void {
    const { bundleSha256, version, installedAt, unsignedException } = installation;
    this.#database.transaction('full', () =>
      this.#database.run(
        `INSERT INTO plugins (id, bundle_sha256, version, installed_at, unsigned_exception) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET bundle_sha256 = excluded.bundle_sha256, version = excluded.version,
        installed_at = excluded.installed_at, unsigned_exception = excluded.unsigned_exception`,
        id,
        bundleSha256,
        version,
        installedAt,
        unsignedException,
      ),
    );
  }

  setEnabled(id: string, enabled: boolean): void {
    this.#database.transaction('full', () =>
      this.#database.run(
        'INSERT INTO plugins (id, enabled) VALUES (?, ?) ON CONFLICT DO UPDATE SET enabled = excluded.enabled',
        id,
        enabled ? 1 : 0,
      ),
    );
  }

  removed(id: string): void {
    this.#database.transaction('full', () => this.#database.run('DELETE FROM plugins WHERE id = ?', id));
  }

  uidOf(id: string, first: number): number {
    return this.#database.transaction('full', () => {
      const known = this.#database.get<{ uid: number }>('SELECT uid FROM uids WHERE plugin = ?', id);
      if (known !== undefined) return known.uid;
      const highest = this.#database.get<{ uid: number | null }>('SELECT max(uid) AS uid FROM uids')?.uid ?? 0;
      const uid = Math.max(first, highest + 1);
      if (uid >= first + hostLimits.pluginUids) throw noUidLeft(id, first);
      this.#database.run('INSERT INTO uids VALUES (?, ?)', id, uid);
      return uid;
    });
  }

  claim(id: string, publisher: string, moved: (former: string) => void): void {
    if (this.publisherOf(id) === publisher) return;
    this.#database.transaction('full', () => {
      const former = this.publisherOf(id);
      if (former === publisher) return;
      this.#database.run('INSERT OR REPLACE INTO publishers VALUES (?, ?)', id, publisher);
      if (former === null) return;
      this.#renameUid(id, putBy(id, former));
      this.#renameUid(putBy(id, publisher), id);
      moved(former);
    });
  }

  refile(from: string, to: string): void {
    this.#database.transaction('full', () =>
      this.#database.run('UPDATE publishers SET publisher = ? WHERE publisher = ?', to, from),
    );
  }

  publisherOf(id: string): string | null {
    const row = this.#database.get<{ publisher: string }>('SELECT publisher FROM publishers WHERE plugin = ?', id);
    return row?.publisher ?? null;
  }

  #renameUid(from: string, to: string): void {
    this.#database.run('UPDATE uids SET plugin = ? WHERE plugin = ?', to, from);
  }
}

/** What the uid of an earlier publisher is kept under: no plugin's id begins with a colon. */
function putBy(id: string, publisher: string): string {
  return `:${publisher}:${id}`;
}

function noUidLeft(plugin: string, first: number): MmmError<'SANDBOX_UNAVAILABLE'> {
  const reason = `all ${hostLimits.pluginUids} user ids from ${first} up are taken`;
  return new MmmError(
    'SANDBOX_UNAVAILABLE',
    `The plugin "${plugin}" cannot get a user id of its own: ${reason}. Use a fresh home with --home.`,
    { plugin, wanted: 'uid', reason },
  );
}

function recordOf(row: Row): PluginRecord {
  return {
    id: row.id,
    enabled: row.enabled === 1,
    bundleSha256: row.bundle_sha256,
    version: row.version,
    installedAt: row.installed_at,
    unsignedException: row.unsigned_exception,
    publisher: row.publisher,
    uid: row.uid,
  };
}
