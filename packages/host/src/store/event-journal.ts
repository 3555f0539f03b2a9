import type { Database } from './database.ts';
import type {
  AppendedRow,
  ConsumerRow,
  DeadLetterRow,
  EventHead,
  EventRange,
  EventRow,
  EventStore,
  JournalSize,
  NewDeadLetter,
  NewEventRow,
} from './event-records.ts';

/** The tables, as a migration makes them. */
export const eventTables = `
  CREATE TABLE events (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, salt TEXT NOT NULL, type TEXT NOT NULL, source TEXT NOT NULL,
    at_ms REAL NOT NULL, depth INTEGER NOT NULL, asked INTEGER NOT NULL, instance TEXT, source_id TEXT,
    bytes INTEGER NOT NULL, data TEXT NOT NULL
  ) STRICT;
  CREATE UNIQUE INDEX events_of_triggers ON events (source, instance, source_id) WHERE source_id IS NOT NULL;
  CREATE TABLE event_totals (
    one INTEGER PRIMARY KEY CHECK (one = 1), events INTEGER NOT NULL, bytes INTEGER NOT NULL
  ) STRICT;
  INSERT INTO event_totals VALUES (1, 0, 0);
  CREATE TABLE event_consumers (
    consumer TEXT PRIMARY KEY, cursor INTEGER NOT NULL, expired INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT, consumer TEXT NOT NULL, event_id TEXT NOT NULL, type TEXT NOT NULL,
    source TEXT NOT NULL, at_ms REAL NOT NULL, depth INTEGER NOT NULL, data TEXT NOT NULL, tries INTEGER NOT NULL,
    error TEXT NOT NULL, failed_at_ms REAL NOT NULL, UNIQUE (consumer, event_id)
  ) STRICT;
`;

interface Row {
  readonly seq: number;
  readonly salt: string;
  readonly type: string;
  readonly source: string;
  readonly at_ms: number;
  readonly depth: number;
  readonly asked: number;
  readonly instance: string | null;
  readonly source_id: string | null;
  readonly data: string;
}

interface LetterRow {
  readonly id: number;
  readonly consumer: string;
  readonly event_id: string;
  readonly type: string;
  readonly source: string;
  readonly at_ms: number;
  readonly depth: number;
  readonly data: string;
  readonly tries: number;
  readonly error: string;
  readonly failed_at_ms: number;
}

const columns = 'seq, salt, type, source, at_ms, depth, asked, instance, source_id, data';
/** What a row takes beside its words: numbers, and its places in the indexes. */
const rowBytes = 64;

export class SqliteEvents implements EventStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  append(events: readonly NewEventRow[], salt: string, durability: 'full' | 'normal'): readonly AppendedRow[] {
    if (events.length === 0) return [];
    return this.#database.transaction(durability, () => {
      let [added, bytes] = [0, 0];
      const rows = events.map((event): AppendedRow => {
        const size = sizeOf(event);
        const seq = this.#insert(event, salt, size);
        if (seq === undefined) return this.#existing(event);
        added += 1;
        bytes += size;
        return { seq, salt, isNew: true };
      });
      if (added > 0) {
        this.#database.run('UPDATE event_totals SET events = events + ?, bytes = bytes + ?', added, bytes);
      }
      return rows;
    });
  }

  head(): number {
    const row = this.#database.get<{ seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'events'");
    return row?.seq ?? 0;
  }

  size(): JournalSize {
    const row = this.#database.get<JournalSize>('SELECT events, bytes FROM event_totals');
    return { events: row?.events ?? 0, bytes: row?.bytes ?? 0 };
  }

  get(seq: number): EventRow | undefined {
    const row = this.#database.get<Row>(`SELECT ${columns} FROM events WHERE seq = ?`, seq);
    return row === undefined ? undefined : eventOf(row);
  }

  heads(afterSeq: number, limit: number): readonly EventHead[] {
    return this.#database
      .all<{ seq: number; type: string; asked: number }>(
        'SELECT seq, type, asked FROM events WHERE seq > ? ORDER BY seq LIMIT ?',
        ...[afterSeq, limit],
      )
      .map(({ seq, type, asked }) => ({ seq, type, asked: asked === 1 }));
  }

  list({ afterSeq, limit }: EventRange): readonly EventRow[] {
    return this.#database
      .all<Row>(`SELECT ${columns} FROM events WHERE seq > ? ORDER BY seq LIMIT ?`, afterSeq, limit)
      .map(eventOf);
  }

  before(seq: number, sinceMs: number, limit: number): readonly EventRow[] {
    return this.#database
      .all<Row>(
        `SELECT ${columns} FROM events WHERE seq < ? AND at_ms >= ? ORDER BY seq DESC LIMIT ?`,
        ...[seq, sinceMs, limit],
      )
      .map(eventOf);
  }

  drop(untilSeq: number, olderThanMs: number, limit: number): number {
    return this.#database.transaction('normal', () => {
      const end = this.#database.get<{ seq: number | null; events: number; bytes: number | null }>(
        `SELECT max(seq) AS seq, count(*) AS events, sum(bytes) AS bytes FROM
          (SELECT seq, bytes, at_ms FROM events WHERE seq <= ? ORDER BY seq LIMIT ?) WHERE at_ms < ?`,
        ...[untilSeq, limit, olderThanMs],
      );
      if (end === undefined || end.seq === null || end.events === 0) return 0;
      // A clock that was set back leaves older events behind younger ones; what is dropped is always a beginning.
      const { seq } = end;
      const cut = this.#database.get<{ events: number; bytes: number }>(
        'SELECT count(*) AS events, sum(bytes) AS bytes FROM events WHERE seq <= ?',
        seq,
      );
      this.#database.run(
        `UPDATE event_consumers SET cursor = ?,
          expired = expired + (SELECT count(*) FROM events WHERE seq > event_consumers.cursor AND seq <= ?)
          WHERE cursor < ?`,
        ...[seq, seq, seq],
      );
      const dropped = this.#database.run('DELETE FROM events WHERE seq <= ?', seq);
      this.#database.run(
        'UPDATE event_totals SET events = events - ?, bytes = bytes - ?',
        ...[cut?.events ?? 0, cut?.bytes ?? 0],
      );
      return dropped;
    });
  }

  consumer(name: string): ConsumerRow | undefined {
    const row = this.#database.get<ConsumerRow>('SELECT * FROM event_consumers WHERE consumer = ?', name);
    return row === undefined ? undefined : { ...row };
  }

  consumers(): readonly ConsumerRow[] {
    return this.#database.all<ConsumerRow>('SELECT * FROM event_consumers ORDER BY consumer');
  }

  openConsumer(name: string): ConsumerRow {
    const known = this.consumer(name);
    if (known !== undefined) return known;
    return this.#database.transaction('full', () => {
      const cursor = this.head();
      this.#database.run('INSERT INTO event_consumers VALUES (?, ?, 0) ON CONFLICT DO NOTHING', name, cursor);
      return this.consumer(name) ?? { consumer: name, cursor, expired: 0 };
    });
  }

  moveCursors(cursors: ReadonlyMap<string, number>): void {
    if (cursors.size === 0) return;
    this.#database.transaction('normal', () => {
      for (const [consumer, cursor] of cursors) this.#move(consumer, cursor);
    });
  }

  removeConsumer(name: string): void {
    this.#database.transaction('full', () => {
      this.#database.run('DELETE FROM event_consumers WHERE consumer = ?', name);
      this.#database.run('DELETE FROM dead_letters WHERE consumer = ?', name);
    });
  }

  bury(letter: NewDeadLetter, cursor: number, max: number): void {
    const { consumer, eventId, type, source, atMs, depth, data, tries, error, failedAtMs } = letter;
    this.#database.transaction('full', () => {
      this.#database.run(
        `INSERT INTO dead_letters
          (consumer, event_id, type, source, at_ms, depth, data, tries, error, failed_at_ms)
          VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
          ON CONFLICT DO UPDATE SET tries = excluded.tries, error = excluded.error,
            failed_at_ms = excluded.failed_at_ms`,
        ...[consumer, eventId, type, source, atMs, depth, data, tries, error, failedAtMs],
      );
      this.#database.run(
        `DELETE FROM dead_letters WHERE consumer = ? AND id <=
          (SELECT id FROM dead_letters WHERE consumer = ? ORDER BY id DESC LIMIT 1 OFFSET ?)`,
        ...[consumer, consumer, max],
      );
      this.#move(consumer, cursor);
    });
  }

  deadLetters(consumer?: string, limit = -1): readonly DeadLetterRow[] {
    const where = consumer === undefined ? '' : 'WHERE consumer = ?';
    const values = consumer === undefined ? [limit] : [consumer, limit];
    return this.#database
      .all<LetterRow>(`SELECT * FROM dead_letters ${where} ORDER BY id DESC LIMIT ?`, ...values)
      .reverse()
      .map(letterOf);
  }

  deadLetter(id: number): DeadLetterRow | undefined {
    const row = this.#database.get<LetterRow>('SELECT * FROM dead_letters WHERE id = ?', id);
    return row === undefined ? undefined : letterOf(row);
  }

  deadCounts(): ReadonlyMap<string, number> {
    const rows = this.#database.all<{ consumer: string; letters: number }>(
      'SELECT consumer, count(*) AS letters FROM dead_letters GROUP BY consumer ORDER BY consumer',
    );
    return new Map(rows.map(({ consumer, letters }) => [consumer, letters]));
  }

  failedAgain(id: number, tries: number, error: string, failedAtMs: number): void {
    this.#database.transaction('full', () =>
      this.#database.run(
        'UPDATE dead_letters SET tries = ?, error = ?, failed_at_ms = ? WHERE id = ?',
        ...[tries, error, failedAtMs, id],
      ),
    );
  }

  removeDeadLetter(id: number): boolean {
    return (
      this.#database.transaction('full', () => this.#database.run('DELETE FROM dead_letters WHERE id = ?', id)) > 0
    );
  }

  #insert(event: NewEventRow, salt: string, bytes: number): number | undefined {
    const { type, source, atMs, depth, asked, instance, sourceId, data } = event;
    return this.#database.get<{ seq: number }>(
      `INSERT INTO events (salt, type, source, at_ms, depth, asked, instance, source_id, bytes, data)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING seq`,
      ...[salt, type, source, atMs, depth, asked ? 1 : 0, instance, sourceId, bytes, data],
    )?.seq;
  }

  /** Only what a trigger names itself can be there already. */
  #existing({ source, instance, sourceId }: NewEventRow): AppendedRow {
    const row = this.#database.get<{ seq: number; salt: string }>(
      'SELECT seq, salt FROM events WHERE source = ? AND instance = ? AND source_id = ?',
      ...[source, instance, sourceId],
    );
    return { seq: row?.seq ?? 0, salt: row?.salt ?? '', isNew: false };
  }

  #move(consumer: string, cursor: number): void {
    this.#database.run(
      'UPDATE event_consumers SET cursor = ? WHERE consumer = ? AND cursor < ?',
      ...[cursor, consumer, cursor],
    );
  }
}

function sizeOf({ type, source, instance, sourceId, data }: NewEventRow): number {
  return rowBytes + type.length + source.length + (instance?.length ?? 0) + (sourceId?.length ?? 0) + data.length;
}

function eventOf(row: Row): EventRow {
  const { at_ms: atMs, source_id: sourceId, asked, ...rest } = row;
  return { ...rest, atMs, sourceId, asked: asked === 1 };
}

function letterOf(row: LetterRow): DeadLetterRow {
  const { event_id: eventId, at_ms: atMs, failed_at_ms: failedAtMs, ...rest } = row;
  return { ...rest, eventId, atMs, failedAtMs };
}
