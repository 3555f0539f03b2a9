import { closeSync, constants, fstatSync, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { MmmError } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import { linesFromEnd, readAt } from '../log/lines-from-end.ts';
import type { ChainHead, Head } from '../store/store.ts';
import { boundedDetail } from './bounded-detail.ts';
import { type AuditRecord, sealLine, unsealLine } from './chain.ts';
import { type AuditVerification, verifyChain } from './verify-chain.ts';

export type AuditAction =
  | 'install'
  | 'remove'
  | 'configure'
  | 'grant'
  | 'revoke'
  | 'deny'
  | 'override'
  | 'publisher'
  | 'launch'
  | 'enable'
  | 'disable'
  | 'key'
  | 'sandbox_none'
  | 'network'
  | 'refused';

/** What happened. `detail` is written as it is: callers put no secret into it. */
export interface AuditEntry {
  readonly action: AuditAction;
  readonly plugin?: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface AuditLogOptions {
  readonly directory: string;
  readonly chain: ChainHead;
  readonly clock: Pick<Clock, 'now'>;
}

/** All that a stage or service needs of the log. */
export interface AuditSink {
  append(entry: AuditEntry): void;
}

/**
 * What may follow the head: the lines of crashes, and after a power cut those since SQLite's last checkpoint, at most a
 * thousand.
 */
const recoveryBytesMax = 16 * 1024 * 1024;

/**
 * Who allowed, refused and started what: hash-chained JSON lines, appended by any number of processes. An edit, a cut
 * or a change of order shows in `verify`, because each line holds the hash of the one before and state.db holds the
 * last. Whoever can write both files can forge both; the log shows tampering, it cannot prevent it.
 */
export class AuditLog implements AuditSink {
  readonly #file: string;
  readonly #chain: ChainHead;
  readonly #clock: Pick<Clock, 'now'>;

  /** `<directory>/audit.jsonl` is made with mode 0600 at the first entry; the folder must exist. */
  constructor(options: AuditLogOptions) {
    this.#file = join(options.directory, 'audit.jsonl');
    this.#chain = options.chain;
    this.#clock = options.clock;
  }

  /** Absolute path of the file. */
  get file(): string {
    return this.#file;
  }

  /** What `verify` without the chain's head can find: everything but a cut at the end. */
  static verify(file: string, head?: Head): AuditVerification {
    return verifyChain(file, head);
  }

  /**
   * The entry is on disk when this returns. Throws STATE_UNREADABLE when it cannot be written: the caller must then not
   * do what it wanted to record. Never repairs what looks like tampering; it goes on after it and `verify` shows it.
   */
  append(entry: AuditEntry): void {
    this.#chain.advance((head) => {
      try {
        return this.#write(head, entry);
      } catch (error) {
        throw this.#unwritable(error);
      }
    });
  }

  /** Reads the whole log and compares it with the head in state.db. */
  verify(): AuditVerification {
    // The head first: entries that are appended while the file is read come after it and are allowed.
    const head = this.#chain.read();
    return verifyChain(this.#file, head);
  }

  /** The last entries, oldest of them first. Lines that are no entries are left out. Default limit: 100. */
  list(filter: { readonly plugin?: string; readonly limit?: number } = {}): AuditRecord[] {
    const limit = filter.limit ?? 100;
    const found: AuditRecord[] = [];
    for (const line of linesFromEnd(this.#file)) {
      if (found.length >= limit) break;
      const record = recordOf(line);
      if (record !== undefined && (filter.plugin === undefined || record.plugin === filter.plugin)) found.push(record);
    }
    return found.reverse();
  }

  /** Runs while the chain is locked. Opened each time, so that a file moved away is noticed instead of written to. */
  #write(head: Head, entry: AuditEntry): Head {
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;
    const descriptor = openSync(this.#file, flags, 0o600);
    try {
      const { last, bytes, tornBytes } = recover(descriptor, head);
      const { line, hash } = sealLine({
        seq: last.seq + 1,
        at: new Date(this.#clock.now()).toISOString(),
        action: entry.action,
        ...(entry.plugin === undefined ? {} : { plugin: entry.plugin }),
        detail: boundedDetail(entry.detail),
        ...(tornBytes === 0 ? {} : { torn_bytes: tornBytes }),
        prev: last.hash,
      });
      const added = appendLine(descriptor, bytes, line);
      if (bytes === 0) syncFolder(dirname(this.#file));
      return { seq: last.seq + 1, hash, bytes: bytes + added };
    } finally {
      closeSync(descriptor);
    }
  }

  #unwritable(error: unknown): MmmError<'STATE_UNREADABLE'> {
    const reason = error instanceof Error ? error.message : String(error);
    return new MmmError(
      'STATE_UNREADABLE',
      `The audit log ${this.#file} could not be written: ${reason}. What was to be recorded there was therefore not ` +
        'done. Free some disk space or make the file writable, and try again.',
      { file: this.#file, reason },
      { cause: error },
    );
  }
}

interface Recovered {
  /** The entry to continue. */
  readonly last: Head;
  /** Length of the file, after a torn line was cut off. */
  readonly bytes: number;
  readonly tornBytes: number;
}

/**
 * Finds where to go on. A process that was killed between writing a line and storing the head leaves whole lines after
 * the head, which are taken over if they continue the chain, or half a line, which is cut off and noted.
 */
function recover(descriptor: number, head: Head): Recovered {
  const { size } = fstatSync(descriptor);
  if (size === head.bytes) return { last: head, bytes: size, tornBytes: 0 };
  // Shorter or much longer is not what a crash leaves. Nothing is touched: the break in the chain is the evidence.
  if (size < head.bytes || size > head.bytes + recoveryBytesMax) {
    return { last: head, bytes: endLine(descriptor, size), tornBytes: 0 };
  }
  const rest = readAt(descriptor, head.bytes, size - head.bytes);
  let last = head;
  let start = 0;
  for (let end = rest.indexOf(0x0a); end >= 0; end = rest.indexOf(0x0a, start)) {
    const entry = unsealLine(rest.subarray(start, end));
    if ('problem' in entry || entry.seq !== last.seq + 1 || entry.prev !== last.hash) {
      return { last, bytes: endLine(descriptor, size), tornBytes: 0 };
    }
    start = end + 1;
    last = { seq: entry.seq, hash: entry.hash, bytes: head.bytes + start };
  }
  const tornBytes = rest.length - start;
  if (tornBytes > 0) ftruncateSync(descriptor, last.bytes);
  return { last, bytes: last.bytes, tornBytes };
}

/**
 * Puts the newline that a foreign last line lacks, so that the next entry has a line of its own. Returns the length.
 */
function endLine(descriptor: number, size: number): number {
  if (size === 0 || readAt(descriptor, size - 1, 1)[0] === 0x0a) return size;
  writeSync(descriptor, '\n');
  return size + 1;
}

/** Writes and syncs the whole line, or leaves the file as it was and throws. Returns the bytes written. */
function appendLine(descriptor: number, size: number, line: string): number {
  const bytes = Buffer.from(`${line}\n`, 'utf8');
  try {
    for (let written = 0; written < bytes.length; ) written += writeSync(descriptor, bytes, written);
    fsyncSync(descriptor);
    return bytes.length;
  } catch (error) {
    try {
      ftruncateSync(descriptor, size);
    } catch {
      // Then half a line stays, which the next append cuts off and notes.
    }
    throw error;
  }
}

/** A new file is only there after a power cut when its folder was written too. */
function syncFolder(folder: string): void {
  const descriptor = openSync(folder, constants.O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function recordOf(line: string): AuditRecord | undefined {
  try {
    const value: unknown = JSON.parse(line);
    const known = typeof value === 'object' && value !== null && 'seq' in value && 'hash' in value;
    return known ? (value as AuditRecord) : undefined;
  } catch {
    return undefined;
  }
}
