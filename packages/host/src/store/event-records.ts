/** One event as it lies in the journal. */
export interface EventRow {
  /** Its place in the one order of all events. */
  readonly seq: number;
  /** With `seq` its id: what tells it from an event of the same place in a journal that was restored. */
  readonly salt: string;
  readonly type: string;
  readonly source: string;
  readonly atMs: number;
  readonly depth: number;
  /** Hooks were asked when it was emitted. */
  readonly asked: boolean;
  /** The instance of the trigger it comes from; null for every other event. */
  readonly instance: string | null;
  /** What that trigger calls it. */
  readonly sourceId: string | null;
  /** JSON. */
  readonly data: string;
}
export type NewEventRow = Omit<EventRow, 'seq' | 'salt'>;
/** What is needed to see who an event is for. */
export type EventHead = Pick<EventRow, 'seq' | 'type' | 'asked'>;

export interface AppendedRow {
  readonly seq: number;
  readonly salt: string;
  /** False when the journal held it already. */
  readonly isNew: boolean;
}

/** Which events are wanted. */
export interface EventRange {
  readonly afterSeq: number;
  readonly limit: number;
}

/** How far one consumer is. */
export interface ConsumerRow {
  readonly consumer: string;
  /** Everything up to it was handled, or was not for this consumer. */
  readonly cursor: number;
  /** Events that were for it, perhaps, and were dropped before it could handle them. */
  readonly expired: number;
}

/** An event that a consumer failed to handle as often as it is tried. */
export interface DeadLetterRow {
  readonly id: number;
  readonly consumer: string;
  readonly eventId: string;
  readonly type: string;
  readonly source: string;
  readonly atMs: number;
  readonly depth: number;
  readonly data: string;
  readonly tries: number;
  readonly error: string;
  readonly failedAtMs: number;
}
export type NewDeadLetter = Omit<DeadLetterRow, 'id'>;

export interface JournalSize {
  readonly events: number;
  /** Of their data and names, as text. */
  readonly bytes: number;
}

/** The tables of the event journal. Writes are stored as the named durability says before they return. */
export interface EventStore {
  /** All or none, in their order, each after everything that is there. */
  append(events: readonly NewEventRow[], salt: string, durability: 'full' | 'normal'): readonly AppendedRow[];
  /** The newest place that was ever given; 0 before the first. */
  head(): number;
  size(): JournalSize;
  get(seq: number): EventRow | undefined;
  /** Without their data, oldest first. */
  heads(afterSeq: number, limit: number): readonly EventHead[];
  /** Oldest first. */
  list(range: EventRange): readonly EventRow[];
  /** Before a place and not before a moment, newest first. */
  before(seq: number, sinceMs: number, limit: number): readonly EventRow[];
  /**
   * Drops at most `limit` of the oldest events up to a place that are older than a moment. Returns how many. Whose
   * cursor lies before what was dropped is moved behind it, and what it missed is counted.
   */
  drop(untilSeq: number, olderThanMs: number, limit: number): number;
  consumer(name: string): ConsumerRow | undefined;
  consumers(): readonly ConsumerRow[];
  /** Makes a consumer that begins after the newest event, unless it is there. Returns it. */
  openConsumer(name: string): ConsumerRow;
  /** Never back. */
  moveCursors(cursors: ReadonlyMap<string, number>): void;
  removeConsumer(name: string): void;
  /** Puts an event by for a consumer and moves its cursor behind it. Keeps the newest `max` of each consumer. */
  bury(letter: NewDeadLetter, cursor: number, max: number): void;
  /** Newest last. Without a consumer: of all. */
  deadLetters(consumer?: string, limit?: number): readonly DeadLetterRow[];
  deadLetter(id: number): DeadLetterRow | undefined;
  /** How many lie there, by consumer. */
  deadCounts(): ReadonlyMap<string, number>;
  failedAgain(id: number, tries: number, error: string, failedAtMs: number): void;
  removeDeadLetter(id: number): boolean;
}
