import { randomBytes } from 'node:crypto';
import { MmmError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import type { AppendedRow, EventHead, EventRange, EventRow, EventStore, NewEventRow } from '../store/event-records.ts';

/** What somebody says happened. */
export interface NewEvent {
  readonly type: string;
  /** Any JSON; undefined becomes null. */
  readonly data: unknown;
  /** A plugin's id, or what `event-types.ts` makes for others. */
  readonly source: string;
  /** For events of triggers: with the source it tells one event from another, and what is there already is dropped. */
  readonly origin?: { readonly instance: string; readonly id: string };
  /** How many events led to it, one through the other. Default: 0. */
  readonly depth?: number;
  /** Hooks are asked about it by whoever emits it. Default: false. */
  readonly asked?: boolean;
}

/** One event of the journal. */
export interface JournalEvent {
  /** Its place in the order of all events. */
  readonly seq: number;
  /** The same for every delivery. */
  readonly id: string;
  readonly type: string;
  readonly data: unknown;
  /** When it was journalled: RFC 3339, UTC, milliseconds. */
  readonly timestamp: string;
  readonly source: string;
  /** The instance of the trigger it comes from, or null. */
  readonly instance: string | null;
  readonly depth: number;
  readonly asked: boolean;
}

export interface Appended {
  readonly id: string;
  readonly seq: number;
  /** False when the journal held it already. */
  readonly isNew: boolean;
}

export interface EventJournalOptions {
  readonly store: EventStore;
  /** Resolves when what was committed before is on the disk. */
  readonly disk: { committed(): void; synced(): Promise<void> };
  readonly clock: Clock;
}

interface Waiting {
  readonly rows: readonly NewEventRow[];
  resolve(appended: readonly Appended[]): void;
  reject(error: unknown): void;
}

/**
 * The one order of all events of a home, kept in `state.db`; several processes may append. What was acknowledged is on
 * the disk. What several callers append in one turn of the event loop is stored by one transaction and one sync.
 */
export class EventJournal {
  readonly #options: EventJournalOptions;
  readonly #salt = randomBytes(4).toString('hex');
  readonly #listeners = new Set<(heads: readonly EventHead[]) => void>();
  #waiting: Waiting[] = [];
  #isDue = false;

  constructor(options: EventJournalOptions) {
    this.#options = options;
  }

  /**
   * Resolves when all of them are on the disk, in their order, or rejects with STATE_UNREADABLE and stores none. Throws
   * MESSAGE_TOO_LARGE for data over `hostLimits.eventBytes`.
   */
  async append(events: readonly NewEvent[]): Promise<readonly Appended[]> {
    const rows = events.map((event) => this.#row(event));
    const appended = new Promise<readonly Appended[]>((resolve, reject) => {
      this.#waiting.push({ rows, resolve, reject });
    });
    if (!this.#isDue) {
      this.#isDue = true;
      this.#options.clock.immediate(() => this.#commit());
    }
    return await appended;
  }

  /** What nobody waits for: kill -9 does not lose it, a power cut may. Never throws. */
  note(event: NewEvent): void {
    try {
      const row = this.#row(event);
      this.#announce([row], this.#options.store.append([row], this.#salt, 'normal'));
    } catch {
      // The disk is full or the file is gone: what happened happened all the same.
    }
  }

  /** The newest place that was ever given; 0 before the first. */
  head(): number {
    return this.#options.store.head();
  }

  get(seq: number): JournalEvent | undefined {
    const row = this.#options.store.get(seq);
    return row === undefined ? undefined : eventOf(row);
  }

  /** Types and places, without what is in them. Oldest first. */
  heads(afterSeq: number, limit: number): readonly EventHead[] {
    return this.#options.store.heads(afterSeq, limit);
  }

  /** Oldest first. */
  list(range: EventRange): readonly JournalEvent[] {
    return this.#options.store.list(range).map(eventOf);
  }

  /** Before a place and not before a moment, newest first. */
  before(seq: number, sinceMs: number, limit: number): readonly JournalEvent[] {
    return this.#options.store.before(seq, sinceMs, limit).map(eventOf);
  }

  /** Told of what this process appended, right after it is stored. Returns what ends it. */
  onAppended(listener: (heads: readonly EventHead[]) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #commit(): void {
    this.#isDue = false;
    const batch = this.#waiting;
    this.#waiting = [];
    if (batch.length === 0) return;
    const rows = batch.flatMap((waiting) => waiting.rows);
    let stored: readonly AppendedRow[];
    try {
      stored = this.#options.store.append(rows, this.#salt, 'normal');
      this.#options.disk.committed();
    } catch (error) {
      for (const waiting of batch) waiting.reject(error);
      return;
    }
    this.#options.disk.synced().then(
      () => {
        let at = 0;
        for (const { rows: own, resolve } of batch) {
          resolve(stored.slice(at, at + own.length).map(appendedOf));
          at += own.length;
        }
        this.#announce(rows, stored);
      },
      (error: unknown) => {
        for (const { reject } of batch) reject(notSynced(error));
      },
    );
  }

  #announce(rows: readonly NewEventRow[], stored: readonly AppendedRow[]): void {
    const heads = rows.flatMap(({ type, asked }, index): EventHead[] => {
      const row = stored[index];
      return row?.isNew === true ? [{ seq: row.seq, type, asked }] : [];
    });
    if (heads.length === 0) return;
    for (const listener of this.#listeners) {
      try {
        listener(heads);
      } catch {
        // A listener's failure is its own: what is stored was acknowledged.
      }
    }
  }

  #row({ type, data, source, origin, depth = 0, asked = false }: NewEvent): NewEventRow {
    const text = JSON.stringify(data ?? null) ?? 'null';
    if (text.length > hostLimits.eventBytes / 4 && Buffer.byteLength(text) > hostLimits.eventBytes) {
      throw tooLarge(type, source);
    }
    const { instance, id } = origin ?? { instance: null, id: null };
    const atMs = this.#options.clock.now();
    return { type, source, atMs, depth, asked, instance, sourceId: id, data: text };
  }
}

function appendedOf({ seq, salt, isNew }: AppendedRow): Appended {
  return { id: eventId({ seq, salt }), seq, isNew };
}

function eventId({ seq, salt }: Pick<EventRow, 'seq' | 'salt'>): string {
  return `${seq}-${salt}`;
}

function eventOf(row: EventRow): JournalEvent {
  const { seq, type, source, instance, depth, asked, atMs } = row;
  const timestamp = new Date(atMs).toISOString();
  return { seq, id: eventId(row), type, data: JSON.parse(row.data), timestamp, source, instance, depth, asked };
}

function tooLarge(type: string, plugin: string): MmmError<'MESSAGE_TOO_LARGE'> {
  const bytesMax = hostLimits.eventBytes;
  return new MmmError(
    'MESSAGE_TOO_LARGE',
    `The data of the event "${type}" has more than ${bytesMax / 1024} KiB. Say what happened, and where the rest is.`,
    { plugin, method: 'emit_event', bytesMax },
  );
}

function notSynced(error: unknown): MmmError<'STATE_UNREADABLE'> {
  const reason = error instanceof Error ? error.message : String(error);
  return new MmmError(
    'STATE_UNREADABLE',
    `The event could not be brought to the disk: ${reason}. Check that the disk is not full.`,
    { file: 'state.db', reason },
    { cause: error },
  );
}
