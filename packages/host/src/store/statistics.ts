import { hostLimits } from '../limits.ts';
import type { Database } from './database.ts';
import type { ExitRecord, PluginStatistics, StatisticsDelta, StatisticsStore } from './store.ts';

interface Row {
  readonly executions: number;
  readonly failures: number;
  readonly last_at_ms: number | null;
  readonly total_ms: number;
  readonly max_ms: number;
  readonly loads: number;
  readonly last_load_ms: number | null;
}
interface ExitRow {
  readonly at_ms: number;
  readonly kind: string;
  readonly detail: string;
  readonly stderr_tail: string;
}

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
      for (const [kind, count] of Object.entries(delta.exits)) {
        this.#database.run(
          'INSERT INTO exits VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count',
          id,
          kind,
          count,
        );
      }
      if (delta.lastExits.length > 0) this.#addExits(id, delta.lastExits);
    });
  }

  read(id: string): PluginStatistics {
    const row = this.#database.get<Row>('SELECT * FROM statistics WHERE plugin = ?', id);
    const buckets: number[] = [];
    const counts = this.#database.all<{ bucket: number; count: number }>(
      'SELECT bucket, count FROM latencies WHERE plugin = ?',
      id,
    );
    for (const { bucket, count } of counts) buckets[bucket] = count;
    const exits = this.#database.all<{ kind: string; count: number }>(
      'SELECT kind, count FROM exits WHERE plugin = ?',
      id,
    );
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
      exits: Object.fromEntries(exits.map(({ kind, count }) => [kind, count])),
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
      for (const table of ['statistics', 'latencies', 'exits', 'last_exits']) {
        this.#database.run(`DELETE FROM ${table} WHERE plugin = ?`, id);
      }
    });
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
