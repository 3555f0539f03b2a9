import { hostLimits } from '../limits.ts';
import type { Database } from './database.ts';
import {
  type CounterName,
  counterNames,
  type ExitRecord,
  type PluginStatistics,
  type RecordedSeries,
  type StatisticsDelta,
  type StatisticsStore,
} from './store.ts';

interface Row {
  readonly executions: number;
  readonly failures: number;
  readonly last_at_ms: number | null;
  readonly total_ms: number;
  readonly max_ms: number;
  readonly loads: number;
  readonly last_load_ms: number | null;
}
interface RecordedRow {
  readonly name: string;
  readonly labels: string;
  readonly count: number;
  readonly sum: number;
  readonly last: number;
}
interface ExitRow {
  readonly at_ms: number;
  readonly kind: string;
  readonly detail: string;
  readonly stderr_tail: string;
}

/** Tables of counts by a key, with the name of that key. */
const countKeys = { exits: 'kind', restarts: 'cause', counters: 'name' } as const;
type CountTable = keyof typeof countKeys;

export class SqliteStatistics implements StatisticsStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  add(id: string, delta: StatisticsDelta): void {
    this.#database.transaction('normal', () => {
      this.#addTotals(id, delta);
      delta.buckets.forEach((count, bucket) => {
        if (count > 0) {
          this.#database.run(
            'INSERT INTO latencies VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count',
            id,
            bucket,
            count,
          );
        }
      });
      this.#count('exits', id, delta.exits);
      this.#count('restarts', id, delta.restarts);
      this.#count('counters', id, delta.counters);
      for (const series of delta.recorded) this.#addRecorded(id, series);
      if (delta.lastExits.length > 0) this.#addExits(id, delta.lastExits);
    });
  }

  together(work: () => void): void {
    this.#database.transaction('normal', work);
  }

  read(id: string): PluginStatistics {
    const row = this.#database.get<Row>('SELECT * FROM statistics WHERE plugin = ?', id);
    const buckets: number[] = [];
    const counts = this.#database.all<{ bucket: number; count: number }>(
      'SELECT bucket, count FROM latencies WHERE plugin = ?',
      id,
    );
    for (const { bucket, count } of counts) buckets[bucket] = count;
    const lastExits = this.#database.all<ExitRow>(
      'SELECT * FROM last_exits WHERE plugin = ? ORDER BY id DESC LIMIT ?',
      id,
      hostLimits.exitsKept,
    );
    return {
      executions: row?.executions ?? 0,
      failures: row?.failures ?? 0,
      lastAtMs: row?.last_at_ms ?? null,
      totalMs: row?.total_ms ?? 0,
      maxMs: row?.max_ms ?? 0,
      buckets: Array.from(buckets, (count) => count ?? 0),
      loads: row?.loads ?? 0,
      lastLoadMs: row?.last_load_ms ?? null,
      exits: this.#counts('exits', id),
      restarts: this.#counts('restarts', id),
      counters: countersOf(this.#counts('counters', id)),
      recorded: this.#recorded(id),
      lastExits: lastExits.map(({ at_ms: atMs, kind, detail, stderr_tail: stderrTail }) => ({
        atMs,
        kind,
        detail,
        stderrTail,
      })),
    };
  }

  removeAll(id: string): void {
    this.#database.transaction('normal', () => {
      for (const table of ['statistics', 'latencies', 'exits', 'last_exits', 'restarts', 'counters', 'recorded']) {
        this.#database.run(`DELETE FROM ${table} WHERE plugin = ?`, id);
      }
    });
  }

  #count(table: CountTable, id: string, counts: Readonly<Record<string, number>>): void {
    for (const [key, count] of Object.entries(counts)) {
      if (count === 0) continue;
      const sql = `INSERT INTO ${table} VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count`;
      this.#database.run(sql, id, key, count);
    }
  }

  #counts(table: CountTable, id: string): Readonly<Record<string, number>> {
    const sql = `SELECT ${countKeys[table]} AS key, count FROM ${table} WHERE plugin = ?`;
    const rows = this.#database.all<{ key: string; count: number }>(sql, id);
    return Object.fromEntries(rows.map(({ key, count }) => [key, count]));
  }

  #addRecorded(id: string, { name, labels, count, sum, last }: RecordedSeries): void {
    this.#database.run(
      `INSERT INTO recorded VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
        count = count + excluded.count, sum = sum + excluded.sum, last = excluded.last`,
      id,
      name,
      JSON.stringify(labels),
      count,
      sum,
      last,
    );
  }

  #recorded(id: string): readonly RecordedSeries[] {
    const sql = 'SELECT name, labels, count, sum, last FROM recorded WHERE plugin = ? ORDER BY name, labels';
    const rows = this.#database.all<RecordedRow>(sql, id);
    return rows.map((row) => ({ ...row, labels: JSON.parse(row.labels) as RecordedSeries['labels'] }));
  }

  #addTotals(id: string, delta: StatisticsDelta): void {
    this.#database.run(
      `INSERT INTO statistics VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET
        executions = executions + excluded.executions, failures = failures + excluded.failures,
        last_at_ms = max(ifnull(last_at_ms, excluded.last_at_ms), ifnull(excluded.last_at_ms, last_at_ms)),
        total_ms = total_ms + excluded.total_ms, max_ms = max(max_ms, excluded.max_ms),
        loads = loads + excluded.loads, last_load_ms = ifnull(excluded.last_load_ms, last_load_ms)`,
      id,
      delta.executions,
      delta.failures,
      delta.lastAtMs,
      delta.totalMs,
      delta.maxMs,
      delta.loads,
      delta.lastLoadMs,
    );
  }

  #addExits(id: string, newestFirst: readonly ExitRecord[]): void {
    for (const exit of [...newestFirst].reverse()) {
      this.#database.run(
        'INSERT INTO last_exits (plugin, at_ms, kind, detail, stderr_tail) VALUES (?, ?, ?, ?, ?)',
        id,
        exit.atMs,
        exit.kind,
        exit.detail,
        exit.stderrTail,
      );
    }
    this.#database.run(
      `DELETE FROM last_exits WHERE plugin = ?1 AND id NOT IN
        (SELECT id FROM last_exits WHERE plugin = ?1 ORDER BY id DESC LIMIT ?2)`,
      id,
      hostLimits.exitsKept,
    );
  }
}

/** A counter that another mmm knew and this one does not is left alone. */
function countersOf(counts: Readonly<Record<string, number>>): Record<CounterName, number> {
  return Object.fromEntries(counterNames.map((name) => [name, counts[name] ?? 0])) as Record<CounterName, number>;
}
