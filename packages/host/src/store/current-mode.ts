import type { Database } from './database.ts';

/** Which mode of the mappings is in force: for the next host as well. */
export interface ModeStore {
  /** Null before anybody chose one. */
  get(): string | null;
  set(name: string): void;
}

export const currentModeTable = `
  CREATE TABLE current_mode (one INTEGER PRIMARY KEY CHECK (one = 1), name TEXT NOT NULL) STRICT;
`;

export class SqliteCurrentMode implements ModeStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  get(): string | null {
    return this.#database.get<{ name: string }>('SELECT name FROM current_mode')?.name ?? null;
  }

  set(name: string): void {
    this.#database.transaction('full', () => {
      this.#database.run(
        'INSERT INTO current_mode VALUES (1, ?) ON CONFLICT DO UPDATE SET name = excluded.name',
        ...[name],
      );
    });
  }
}
