import { closeSync, constants, fsyncSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { MmmError, type StorageProblem } from '@mmm/protocol';
import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import { linesFromEnd } from '../log/lines-from-end.ts';
import { unreadable } from '../store/database.ts';
import type { ChainHead, Head } from '../store/store.ts';
import { auditFiles, currentName, rotate, syncFolder } from './audit-files.ts';
import { boundedDetail } from './bounded-detail.ts';
import { type AuditRecord, sealLine } from './chain.ts';
import { type Recovered, recover } from './recover.ts';
import { type AuditVerification, linesOf, verifyChain } from './verify-chain.ts';

export type AuditAction =
  | 'install'
  | 'install_step'
  | 'update_waits'
  | 'update_dropped'
  | 'remove'
  | 'configure'
  | 'grant'
  | 'revoke'
  | 'deny'
  | 'override'
  | 'publisher'
  | 'launch'
  | 'stop'
  | 'enable'
  | 'disable'
  | 'key'
  | 'sandbox_none'
  | 'sandbox_landlock'
  | 'connect'
  | 'network'
  | 'limit'
  | 'hook'
  | 'refused'
  | 'state_set_aside'
  | 'backup'
  | 'restore';

/** Those whose details may hold words that a plugin chose, and with them what it was entrusted with. */
const saidByPlugins: ReadonlySet<AuditAction> = new Set([
  'refused',
  'connect',
  'network',
  'limit',
  'install_step',
  'hook',
]);

/** What happened. Callers put no secret into `detail`; the log takes out those a plugin put there. */
export interface AuditEntry {
  readonly action: AuditAction;
  readonly plugin?: string;
  readonly detail: Readonly<Record<string, unknown>>;
}

export interface AuditLogOptions {
  readonly directory: string;
  readonly chain: ChainHead;
  readonly clock: Pick<Clock, 'now'>;
  /** Takes the secrets of a plugin out of what it had a say in. Default: it has none. */
  redact?(plugin: string, detail: AuditEntry['detail']): AuditEntry['detail'];
  /** Told of each entry that was written; what it throws is nobody's business. */
  onAppended?(entry: AuditEntry): void;
  /** A file that is longer is put by and a new one begun. Default: `hostLimits.auditFileBytes`. */
  readonly fileBytes?: number;
}

/** Which entries are wanted. */
export interface AuditFilter {
  readonly plugin?: string;
  readonly action?: string;
  /** Not before this moment. */
  readonly since?: Date;
  /** The last so many. Default: 100. */
  readonly limit?: number;
}

/** All that a stage or service needs of the log. */
export interface AuditSink {
  append(entry: AuditEntry): void;
}

const nextSteps: Readonly<Record<StorageProblem, string>> = {
  full: 'The disk is full: free some space, and try again.',
  io: 'The disk reports an error: look at what the kernel says of it (dmesg), and make a backup elsewhere.',
  busy: 'Try again.',
  corrupt: 'Make the file writable, and try again.',
  newer: 'Update mmm.',
  other: 'Free some disk space or make the file writable, and try again.',
};

/** A file is put by after thousands of entries: twice while one log is read does not happen. */
const verifyAttempts = 3;

/**
 * Who allowed, refused and started what: hash-chained JSON lines, appended by any number of processes. An edit, a cut,
 * a change of order or a file that is gone shows in `verify`, because each line holds the hash of the one before and
 * state.db holds the last. Full files are put by, the chain goes on in the next, and none is ever removed by mmm.
 * Whoever can write both the files and state.db can forge both; the log shows tampering, it cannot prevent it.
 */
export class AuditLog implements AuditSink {
  readonly #directory: string;
  readonly #options: AuditLogOptions;

  /** `<directory>/audit.jsonl` is made with mode 0600 at the first entry; the folder must exist. */
  constructor(options: AuditLogOptions) {
    this.#directory = options.directory;
    this.#options = options;
  }

  /** Absolute path of the file that is appended to. */
  get file(): string {
    return join(this.#directory, currentName);
  }

  /** What can be found in one exported file without the chain's head: everything but a cut at its end. */
  static verify(file: string): AuditVerification {
    return verifyChain([file], undefined);
  }

  /**
   * The entry is on disk when this returns. Throws STATE_UNREADABLE when it cannot be written: the caller must then not
   * do what it wanted to record. Never repairs what looks like tampering; it goes on after it and `verify` shows it.
   */
  append(entry: AuditEntry): void {
    this.#options.chain.advance((head) => {
      try {
        return this.#write(head, entry);
      } catch (error) {
        throw this.#unwritable(error);
      }
    });
    this.#options.onAppended?.(entry);
  }

  /** Reads the whole log and compares it with the head in state.db. */
  verify(): AuditVerification {
    for (let attempt = 1; ; attempt += 1) {
      const files = auditFiles(this.#directory);
      // The head before the entries: those that are appended meanwhile come after it and are allowed.
      const verification = verifyChain(files, this.#options.chain.read());
      if (verification.problem === undefined || attempt === verifyAttempts) return verification;
      // A file that was full just then was put by while it was being read.
      if (auditFiles(this.#directory).join() === files.join()) return verification;
    }
  }

  /** The last entries that are wanted, oldest of them first. Lines that are no entries are left out. */
  list(filter: AuditFilter = {}): AuditRecord[] {
    const { limit = 100 } = filter;
    const found: AuditRecord[] = [];
    for (const file of [...auditFiles(this.#directory)].reverse()) {
      for (const line of linesFromEnd(file)) {
        if (found.length >= limit) return found.reverse();
        const record = recordOf(line);
        if (record !== undefined && isWanted(record, filter)) found.push(record);
      }
    }
    return found.reverse();
  }

  /** Every line as it was written, oldest first and without its newline: a copy that can be verified elsewhere. */
  *lines(): Generator<string, void, undefined> {
    for (const file of auditFiles(this.#directory)) {
      for (const line of linesOf(file)) yield line.toString('utf8');
    }
  }

  /** The last entry, as state.db has it: whoever keeps its hash elsewhere can tell whether the log was written anew. */
  head(): Head {
    return this.#options.chain.read();
  }

  /** Runs while the chain is locked. */
  #write(head: Head, entry: AuditEntry): Head {
    const { descriptor, last, bytes, tornBytes } = this.#open(head);
    try {
      const { line, hash } = this.#sealed(entry, last, tornBytes);
      const added = appendLine(descriptor, bytes, line);
      if (bytes === 0) syncFolder(this.#directory);
      return { seq: last.seq + 1, hash, bytes: bytes + added };
    } finally {
      closeSync(descriptor);
    }
  }

  /** Opened each time, so that a file moved away is noticed instead of written to. A full one is put by first. */
  #open(head: Head): Recovered & { readonly descriptor: number } {
    const { fileBytes = hostLimits.auditFileBytes } = this.#options;
    const descriptor = openCurrent(this.file);
    let isKept = false;
    try {
      const recovered = recover(descriptor, head, this.#directory);
      isKept = recovered.bytes < fileBytes || recovered.last.seq === 0;
      if (isKept) return { ...recovered, descriptor };
      rotate(this.file, recovered.last.seq);
      return { ...recovered, bytes: 0, descriptor: openCurrent(this.file) };
    } finally {
      if (!isKept) closeSync(descriptor);
    }
  }

  #sealed({ action, plugin, detail }: AuditEntry, last: Head, tornBytes: number): ReturnType<typeof sealLine> {
    const { clock, redact } = this.#options;
    const mayTell = plugin !== undefined && redact !== undefined && saidByPlugins.has(action);
    return sealLine({
      seq: last.seq + 1,
      at: new Date(clock.now()).toISOString(),
      action,
      ...(plugin === undefined ? {} : { plugin }),
      detail: boundedDetail(mayTell ? redact(plugin, detail) : detail),
      ...(tornBytes === 0 ? {} : { torn_bytes: tornBytes }),
      prev: last.hash,
    });
  }

  #unwritable(error: unknown): MmmError<'STATE_UNREADABLE'> {
    const reason = error instanceof Error ? error.message : String(error);
    const { problem } = unreadable(this.file, error).data;
    return new MmmError(
      'STATE_UNREADABLE',
      `The audit log ${this.file} could not be written: ${reason}. What was to be recorded there was therefore not ` +
        `done. ${nextSteps[problem ?? 'other']}`,
      { file: this.file, reason, ...(problem === undefined ? {} : { problem }) },
      { cause: error },
    );
  }
}

function openCurrent(file: string): number {
  return openSync(file, constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW, 0o600);
}

function isWanted({ action, plugin, at }: AuditRecord, filter: AuditFilter): boolean {
  if (filter.plugin !== undefined && plugin !== filter.plugin) return false;
  if (filter.action !== undefined && action !== filter.action) return false;
  return filter.since === undefined || Date.parse(at) >= filter.since.getTime();
}

/** Writes and syncs the whole line, or leaves the file as it was and throws. Returns the bytes written. */
function appendLine(descriptor: number, size: number, line: string): number {
  const bytes = Buffer.from(`${line}\n`, 'utf8');
  try {
    for (let written = 0; written < bytes.length; ) written += writeSome(descriptor, bytes, written);
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

/** At least one byte: a system that takes none and says nothing of it would be asked for ever. */
function writeSome(descriptor: number, bytes: Buffer, from: number): number {
  const written = writeSync(descriptor, bytes, from);
  if (written > 0) return written;
  throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' });
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
