import * as z from 'zod';
import type { Database } from './database.ts';
import type { CrashRecord, CrashStore } from './store.ts';

const crashRecord: z.ZodType<CrashRecord> = z.object({
  state: z.enum(['none', 'backoff', 'quarantined']),
  untilMs: z.number(),
  crashes: z.array(z.number()),
  cause: z.object({ code: z.string(), message: z.string(), data: z.unknown() }).nullable(),
});

export class SqliteCrashes implements CrashStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  read(plugin: string): CrashRecord | undefined {
    const row = this.#database.get<{ record: string }>('SELECT record FROM crash_records WHERE plugin = ?', plugin);
    return row === undefined ? undefined : parsed(row.record);
  }

  all(): ReadonlyMap<string, CrashRecord> {
    const rows = this.#database.all<{ plugin: string; record: string }>('SELECT plugin, record FROM crash_records');
    return new Map(
      rows.flatMap(({ plugin, record }): [string, CrashRecord][] => {
        const read = parsed(record);
        return read === undefined ? [] : [[plugin, read]];
      }),
    );
  }

  write(records: ReadonlyMap<string, CrashRecord | undefined>): void {
    this.#database.transaction('normal', () => {
      for (const [plugin, record] of records) {
        if (record === undefined) {
          this.remove(plugin);
          continue;
        }
        this.#database.run(
          'INSERT INTO crash_records VALUES (?, ?) ON CONFLICT DO UPDATE SET record = excluded.record',
          plugin,
          JSON.stringify(record),
        );
      }
    });
  }

  remove(plugin: string): void {
    this.#database.run('DELETE FROM crash_records WHERE plugin = ?', plugin);
  }
}

/** A record that cannot be read counts for nothing. */
function parsed(text: string): CrashRecord | undefined {
  try {
    return crashRecord.parse(JSON.parse(text));
  } catch {
    return undefined;
  }
}
