import { randomBytes } from 'node:crypto';
import {
  appendFileSync,
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';

/** An event that waits for its acknowledgement, as `poll_events` answers it. */
export interface KeptEvent {
  readonly id: string;
  readonly instance: string;
  readonly type: string;
  readonly data: unknown;
  readonly timestamp: string;
}

interface Entry {
  readonly seq: number;
  readonly event: KeptEvent;
  readonly bytes: number;
  readonly durable: boolean;
}

/** A journal that shrank is written anew when this much of it is of no use any more. */
const wasteMax = 1024 * 1024;
const fileName = 'events.jsonl';

/**
 * The events of a plugin that the host has not acknowledged, in their order. Those of durable triggers lie in a file of
 * JSON lines, so that they survive the process: each line is handed to the kernel before `add` returns. A line that a
 * crash cut off is the end of the file.
 */
export class TriggerJournal {
  readonly #directory: string;
  /** Part of every id and cursor: a file that was lost must not make new events look like old ones. */
  #run = randomBytes(6).toString('hex');
  #next = 1;
  /** Everything up to this is acknowledged. */
  #acked = 0;
  #entries: Entry[] = [];
  #bytes = 0;
  #fileBytes = 0;
  #usedBytes = 0;
  #opened = false;

  constructor(dataDirectory: string) {
    this.#directory = join(dataDirectory, '.triggers');
  }

  get size(): number {
    return this.#entries.length;
  }

  /** Of the data of all of them. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Keeps an event; its id is made here when it brings none. Throws when it cannot be written. */
  add(event: Omit<KeptEvent, 'id'> & { readonly id: string | undefined }, durable: boolean): void {
    this.#open();
    const seq = this.#next;
    const kept: KeptEvent = { ...event, id: event.id ?? `${this.#run}-${seq}` };
    const text = JSON.stringify({ seq, event: kept });
    if (durable) this.#write(text);
    this.#next = seq + 1;
    this.#keep({ seq, event: kept, bytes: text.length, durable });
  }

  /** Forgets what the host has. A cursor of another life of the file acknowledges nothing. */
  acknowledge(cursor: string): void {
    this.#open();
    const [run, text = ''] = cursor.split('.');
    const seq = Number(text);
    if (run !== this.#run || !Number.isSafeInteger(seq) || seq <= this.#acked || seq >= this.#next) return;
    this.#acked = seq;
    const kept = this.#entries.filter((entry) => entry.seq > seq);
    if (kept.length === this.#entries.length) return;
    const wasOnDisk = this.#entries.some((entry) => entry.durable && entry.seq <= seq);
    this.#entries = kept;
    this.#bytes = kept.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#usedBytes = kept.reduce((sum, { bytes, durable }) => sum + (durable ? bytes : 0), 0);
    if (!wasOnDisk) return;
    if (this.#fileBytes - this.#usedBytes > wasteMax) this.#rewrite();
    else this.#write(JSON.stringify({ acked: seq }));
  }

  /**
   * The oldest ones, at most `max` and about `bytesMax`, with the cursor that acknowledges them. Of `instances` only,
   * when given, and then only up to the first event of another one: a cursor acknowledges all before it.
   */
  read(max: number, bytesMax: number, instances?: readonly string[]): { events: KeptEvent[]; cursor: string } {
    this.#open();
    const events: KeptEvent[] = [];
    let [seq, bytes] = [this.#acked, 0];
    for (const entry of this.#entries) {
      bytes += entry.bytes;
      const isOther = instances !== undefined && !instances.includes(entry.event.instance);
      if (events.length >= max || (events.length > 0 && bytes > bytesMax) || isOther) break;
      events.push(entry.event);
      seq = entry.seq;
    }
    return { events, cursor: `${this.#run}.${seq}` };
  }

  #keep(entry: Entry): void {
    this.#entries.push(entry);
    this.#bytes += entry.bytes;
    if (entry.durable) this.#usedBytes += entry.bytes;
  }

  /** Read at the first use and not at the start: a spare must see what the process before it left. */
  #open(): void {
    if (this.#opened) return;
    this.#opened = true;
    let text: string;
    try {
      text = readFileSync(join(this.#directory, fileName), 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    this.#fileBytes = text.length;
    for (const line of text.split('\n')) this.#take(line);
    this.#entries = this.#entries.filter(({ seq }) => seq > this.#acked);
    this.#bytes = this.#entries.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#usedBytes = this.#bytes;
    this.#next = Math.max(this.#next, this.#acked + 1);
    // What a crash cut off must not swallow the next line.
    if (text !== '' && !text.endsWith('\n')) this.#rewrite();
  }

  #take(line: string): void {
    let record: { run?: string; next?: number; acked?: number; seq?: number; event?: KeptEvent };
    try {
      record = JSON.parse(line) as typeof record;
    } catch {
      return;
    }
    const { run, next, acked, seq, event } = record;
    if (run !== undefined) this.#run = run;
    if (next !== undefined) this.#next = next;
    if (acked !== undefined) this.#acked = Math.max(this.#acked, acked);
    if (seq === undefined || event === undefined) return;
    this.#entries.push({ seq, event, bytes: line.length, durable: true });
    this.#next = seq + 1;
  }

  #write(line: string): void {
    if (this.#fileBytes === 0) this.#rewrite();
    appendFileSync(join(this.#directory, fileName), `${line}\n`);
    this.#fileBytes += line.length + 1;
  }

  /** Beside the file and then in its place, so that a crash leaves the one or the other. */
  #rewrite(): void {
    mkdirSync(this.#directory, { recursive: true });
    const head = JSON.stringify({ run: this.#run, next: this.#next, acked: this.#acked });
    const lines = this.#entries
      .filter(({ durable }) => durable)
      .map(({ seq, event }) => JSON.stringify({ seq, event }));
    const text = `${[head, ...lines].join('\n')}\n`;
    const file = join(this.#directory, fileName);
    const beside = `${file}.new`;
    writeFileSync(beside, text);
    const descriptor = openSync(beside, 'r');
    try {
      fsyncSync(descriptor);
    } finally {
      closeSync(descriptor);
    }
    renameSync(beside, file);
    this.#fileBytes = text.length;
  }
}
