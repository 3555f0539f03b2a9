import { hostLimits } from '../limits.ts';
import type { Database } from './database.ts';

/** One request of a plugin to a language model and its answer. */
export interface ModelExchange {
  /** RFC 3339, UTC. */
  readonly at: string;
  /** Who answered: a plugin and its capability. */
  readonly provider: string;
  /** The specification it was about, or null. */
  readonly spec: string | null;
  readonly messages: unknown;
  readonly message: unknown;
  readonly usage: unknown;
  readonly stopReason: string | null;
}

/** The exchanges of plugins with models, of each plugin, publisher and project apart. */
export interface ModelExchangeStore {
  /**
   * Keeps it, and lets the oldest of the same owner go beyond `hostLimits.exchangesKept` and `exchangeBytes`. One of
   * more than a quarter of those bytes is not kept: it would take the place of all others.
   */
  add(owner: ExchangeOwner, exchange: ModelExchange): void;
  /** Oldest first; of one specification when given. */
  list(owner: ExchangeOwner, spec?: string): readonly ModelExchange[];
  removeAll(plugin: string): void;
}

export interface ExchangeOwner {
  readonly plugin: string;
  readonly publisher: string;
  /** The project's path; empty without one. */
  readonly project: string;
}

interface Row {
  readonly spec: string | null;
  readonly exchange: string;
}

export const modelExchangeTable = `
  CREATE TABLE model_exchanges (
    id INTEGER PRIMARY KEY AUTOINCREMENT, plugin TEXT NOT NULL, publisher TEXT NOT NULL, project TEXT NOT NULL,
    spec TEXT, exchange TEXT NOT NULL, bytes INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX model_exchanges_of ON model_exchanges (plugin, publisher, project, id);
  `;

export class SqliteModelExchanges implements ModelExchangeStore {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  add({ plugin, publisher, project }: ExchangeOwner, { spec, ...exchange }: ModelExchange): void {
    const text = JSON.stringify(exchange);
    const bytes = Buffer.byteLength(text);
    if (bytes > hostLimits.exchangeBytes / 4) return;
    // As statistics: a power cut may take the last one, and it was answered already.
    this.#database.transaction('normal', () => {
      this.#database.run(
        'INSERT INTO model_exchanges (plugin, publisher, project, spec, exchange, bytes) VALUES (?, ?, ?, ?, ?, ?)',
        ...[plugin, publisher, project, spec, text, bytes],
      );
      this.#database.run(
        `DELETE FROM model_exchanges WHERE plugin = ? AND publisher = ? AND id NOT IN (
          SELECT id FROM (
            SELECT id, row_number() OVER newest AS place, sum(bytes) OVER newest AS total
            FROM model_exchanges WHERE plugin = ? AND publisher = ? WINDOW newest AS (ORDER BY id DESC)
          ) WHERE place <= ? AND total <= ?)`,
        ...[plugin, publisher, plugin, publisher, hostLimits.exchangesKept, hostLimits.exchangeBytes],
      );
    });
  }

  list({ plugin, publisher, project }: ExchangeOwner, spec?: string): readonly ModelExchange[] {
    return this.#database
      .all<Row>(
        `SELECT spec, exchange FROM model_exchanges
        WHERE plugin = ? AND publisher = ? AND project = ? AND (? IS NULL OR spec = ?) ORDER BY id`,
        ...[plugin, publisher, project, spec ?? null, spec ?? null],
      )
      .map(({ spec: about, exchange }) => ({ ...(JSON.parse(exchange) as Omit<ModelExchange, 'spec'>), spec: about }));
  }

  removeAll(plugin: string): void {
    this.#database.run('DELETE FROM model_exchanges WHERE plugin = ?', plugin);
  }
}
