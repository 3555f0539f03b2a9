import { closeSync, constants, fstatSync, openSync, readSync, statSync } from 'node:fs';
import type { Clock } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import { parseLine } from './line.ts';
import { type LogLine, PluginLog } from './plugin-log.ts';

const lineEnd = 0x0a;
const readBytes = 64 * 1024;

export interface FollowOptions {
  /** How many of the last lines come first. Default: 10. */
  readonly lines?: number;
  /** Ends it. */
  readonly signal?: AbortSignal;
}

/** A log file that is read on from where it ended. */
class Tail {
  readonly #file: string;
  #descriptor: number | undefined;
  #offset = 0;
  #rest = Buffer.alloc(0);

  constructor(file: string) {
    this.#file = file;
  }

  /** From here on: what was written before is not read. */
  skipToEnd(): void {
    this.#open();
    if (this.#descriptor !== undefined) this.#offset = fstatSync(this.#descriptor).size;
  }

  /** What was written since, to the end of the last whole line. A rotated file is read to its end first. */
  read(): LogLine[] {
    const lines: LogLine[] = [];
    this.#open();
    this.#readOpen(lines);
    while (this.#isReplaced()) {
      this.close();
      this.#open();
      this.#readOpen(lines);
    }
    return lines;
  }

  close(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
    this.#offset = 0;
    this.#rest = Buffer.alloc(0);
  }

  #open(): void {
    if (this.#descriptor !== undefined) return;
    try {
      this.#descriptor = openSync(this.#file, constants.O_RDONLY | constants.O_NOFOLLOW);
    } catch (error) {
      // Nothing was logged yet, or it was just moved away.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }

  #isReplaced(): boolean {
    const now = statSync(this.#file, { throwIfNoEntry: false });
    if (now === undefined || this.#descriptor === undefined) return false;
    const open = fstatSync(this.#descriptor);
    return now.ino !== open.ino || now.dev !== open.dev;
  }

  #readOpen(lines: LogLine[]): void {
    if (this.#descriptor === undefined) return;
    const chunk = Buffer.alloc(readBytes);
    for (;;) {
      const bytes = readSync(this.#descriptor, chunk, 0, chunk.length, this.#offset);
      if (bytes === 0) return;
      this.#offset += bytes;
      this.#rest = Buffer.concat([this.#rest, chunk.subarray(0, bytes)]);
      for (let end = this.#rest.indexOf(lineEnd); end >= 0; end = this.#rest.indexOf(lineEnd)) {
        const line = parseLine(this.#rest.toString('utf8', 0, end));
        if (line !== undefined) lines.push(line);
        this.#rest = this.#rest.subarray(end + 1);
      }
    }
  }
}

/** The last lines of a log, and each further one as it is written, until the signal aborts. */
export async function* followLog(
  file: string,
  options: { readonly lines: number; readonly signal: AbortSignal | undefined; readonly clock: Pick<Clock, 'sleep'> },
): AsyncGenerator<LogLine, void, undefined> {
  const { lines, signal, clock } = options;
  const tail = new Tail(file);
  try {
    // Before the last lines are read: one that comes between is then shown twice rather than never.
    tail.skipToEnd();
    const last = PluginLog.read(file, { lines });
    yield* last;
    let seen = new Set(last.map((line) => JSON.stringify(line)));
    while (signal?.aborted !== true) {
      for (const line of tail.read()) if (!seen.has(JSON.stringify(line))) yield line;
      seen = new Set();
      await clock.sleep(hostLimits.logFollowMs, signal).catch(() => undefined);
    }
  } finally {
    tail.close();
  }
}
