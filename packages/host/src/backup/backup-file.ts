import { createHash } from 'node:crypto';
import { closeSync, existsSync, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { hostVersion, MmmError } from '@mmm/protocol';
import { DatabaseSync, type DatabaseSyncInstance } from '@photostructure/sqlite';
import { isBackedUp } from './contents.ts';

/** The four letters mmmB: says of a database of SQLite that it is a backup of ours. */
const applicationId = 0x6d_6d_6d_42;
/** Raised by a change that an older mmm would misunderstand. */
const format = 1;
/** A file is kept in pieces of this many bytes, so that none has to be in memory as a whole. */
const pieceBytes = 1024 * 1024;

const tables = `
  CREATE TABLE backup (made_at TEXT NOT NULL, mmm TEXT NOT NULL) STRICT;
  CREATE TABLE files (path TEXT PRIMARY KEY, bytes INTEGER NOT NULL, sha256 TEXT NOT NULL) STRICT, WITHOUT ROWID;
  CREATE TABLE pieces (
    path TEXT NOT NULL REFERENCES files, number INTEGER NOT NULL, data BLOB NOT NULL, PRIMARY KEY (path, number)
  ) STRICT;
`;

export interface BackupEntry {
  /** As it stands in the home, with `/`. */
  readonly path: string;
  readonly bytes: number;
  readonly sha256: string;
}

/** Where the bytes of each path are read from. */
export type BackupSources = ReadonlyMap<string, string>;

/** Writes a backup into a file that is there and empty, onto the disk. Throws what the file system and SQLite throw. */
export function writeBackup(file: string, sources: BackupSources, madeAt: string): readonly BackupEntry[] {
  const connection = new DatabaseSync(file);
  try {
    connection.exec(`PRAGMA journal_mode = MEMORY; PRAGMA synchronous = FULL; PRAGMA application_id = ${applicationId};
      PRAGMA user_version = ${format}; BEGIN; ${tables}`);
    connection.prepare('INSERT INTO backup VALUES (?, ?)').run(madeAt, hostVersion);
    const entries = [...sources].map(([path, source]) => addFile(connection, path, source));
    connection.exec('COMMIT');
    return entries;
  } finally {
    connection.close();
  }
}

function addFile(connection: DatabaseSyncInstance, path: string, source: string): BackupEntry {
  const hash = createHash('sha256');
  const addPiece = connection.prepare('INSERT INTO pieces VALUES (?, ?, ?)');
  // The reference is checked at the end of each statement: its row comes first, and is completed below.
  connection.prepare("INSERT INTO files VALUES (?, 0, '')").run(path);
  const descriptor = openSync(source, 'r');
  let bytes = 0;
  try {
    for (let number = 0; ; number += 1) {
      const piece = Buffer.alloc(pieceBytes);
      const length = readSync(descriptor, piece);
      if (length === 0) break;
      hash.update(piece.subarray(0, length));
      addPiece.run(path, number, piece.subarray(0, length));
      bytes += length;
    }
  } finally {
    closeSync(descriptor);
  }
  const sha256 = hash.digest('hex');
  connection.prepare('UPDATE files SET bytes = ?, sha256 = ? WHERE path = ?').run(bytes, sha256, path);
  return { path, bytes, sha256 };
}

/** A backup that is open to be read. Everything it throws is BACKUP_INVALID, with the file and what is wrong. */
export class BackupFile {
  readonly #file: string;
  readonly #connection: DatabaseSyncInstance;

  constructor(file: string) {
    this.#file = file;
    // SQLite says only that it cannot open it.
    if (!existsSync(file)) throw this.#invalid('there is no such file');
    this.#connection = this.#guard(() => new DatabaseSync(file, { readOnly: true }));
    try {
      this.#check();
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get madeAt(): string {
    return this.#guard(
      () => (this.#connection.prepare('SELECT made_at FROM backup').get() as { made_at: string }).made_at,
    );
  }

  entries(): readonly BackupEntry[] {
    return this.#guard(() => {
      return this.#connection.prepare('SELECT * FROM files ORDER BY path').all() as unknown as BackupEntry[];
    });
  }

  /** Writes one of its files to a place of its own, 0600 and onto the disk, and checks every byte of it. */
  extract({ path, bytes, sha256 }: BackupEntry, target: string): void {
    const hash = createHash('sha256');
    let written = 0;
    const descriptor = openSync(target, 'wx', 0o600);
    try {
      for (const piece of this.#pieces(path)) {
        hash.update(piece);
        for (let at = 0; at < piece.length; ) at += writeSync(descriptor, piece, at);
        written += piece.length;
      }
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    if (written !== bytes || hash.digest('hex') !== sha256) throw this.#invalid(`${path} in it is damaged`);
  }

  close(): void {
    if (this.#connection.isOpen) this.#connection.close();
  }

  *#pieces(path: string): Generator<Buffer, void, undefined> {
    const read = this.#connection.prepare('SELECT data FROM pieces WHERE path = ? AND number = ?');
    for (let number = 0; ; number += 1) {
      const row = this.#guard(() => read.get(path, number) as { data: Uint8Array } | undefined);
      if (row === undefined) return;
      yield Buffer.from(row.data);
    }
  }

  #check(): void {
    const number = (pragma: string): number => {
      const row = this.#guard(() => this.#connection.prepare(`PRAGMA ${pragma}`).get());
      return Number(Object.values(row as object)[0]);
    };
    if (number('application_id') !== applicationId) throw this.#invalid('it is not a backup that mmm made');
    const version = number('user_version');
    if (version !== format) {
      throw this.#invalid(`it has format ${version}, and this mmm knows ${format}: it was made by a newer mmm`);
    }
    const [first] = this.#guard(() => this.#connection.prepare('PRAGMA integrity_check(1)').all());
    if ((first as { integrity_check?: string } | undefined)?.integrity_check !== 'ok')
      throw this.#invalid('it is damaged');
    const foreign = this.entries().find(({ path }) => !isBackedUp(path));
    if (foreign !== undefined) throw this.#invalid(`it holds ${JSON.stringify(foreign.path)}, which no backup has`);
    if (!this.entries().some(({ path }) => path === 'state.db')) throw this.#invalid('there is no state.db in it');
  }

  #guard<T>(work: () => T): T {
    try {
      return work();
    } catch (error) {
      throw this.#invalid(error instanceof Error ? error.message : String(error), error);
    }
  }

  #invalid(reason: string, cause?: unknown): MmmError<'BACKUP_INVALID'> {
    const message = `The backup ${this.#file} cannot be used: ${reason}. Nothing was changed.`;
    return new MmmError('BACKUP_INVALID', message, { file: this.#file, reason }, { cause });
  }
}
