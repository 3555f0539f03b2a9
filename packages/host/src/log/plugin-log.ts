import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname } from 'node:path';
import { type LogLevel, logLevel, wireLimits } from '@mmm/protocol';
import type { Clock, Timer } from '@mmm/rpc';
import { hostLimits } from '../limits.ts';
import { firstLine } from './first-line.ts';
import { formatLine, parseLine } from './line.ts';
import { LineRate } from './line-rate.ts';
import { linesFromEnd } from './lines-from-end.ts';
import { endsWithinLine, type LogTrouble, ShortWrite, troubleReason } from './log-trouble.ts';

/** Where a line came from: the plugin's stderr, its stray stdout, its `log` notifications, or the host. */
export type LogStream = 'stderr' | 'stdout' | 'log' | 'host';

export interface LogLine {
  /** RFC 3339, UTC, milliseconds: when the host received it. */
  readonly at: string;
  readonly stream: LogStream;
  readonly level: LogLevel;
  readonly message: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

export interface PluginLogOptions {
  /** Default: `hostLimits.logLinesPerSecond`. */
  readonly linesPerSecond?: number;
  /** Default: `hostLimits.logBytesPerSecond`. */
  readonly bytesPerSecond?: number;
  /** Longest message in bytes. Default: `wireLimits.logLineBytes`. */
  readonly lineBytes?: number;
  /** Size at which the file is rotated. Default: `hostLimits.logFileBytes`. */
  readonly fileBytes?: number;
  /** Age of its first line at which the file is rotated, in milliseconds. Default: never. */
  readonly fileAgeMs?: number;
  /** Told of each line after the bounds on rate and length, before it is written. What it throws is dropped. */
  readonly onLine?: (line: LogLine) => void;
  /** Told of lines over the rate, as they are dropped. */
  readonly onDropped?: (lines: number) => void;
  /** Files kept, the current one included. Default: `hostLimits.logFiles`. */
  readonly files?: number;
}

/** When a log file is begun anew, and how many are kept. */
export type LogRotation = Required<Pick<PluginLogOptions, 'fileBytes' | 'fileAgeMs' | 'files'>>;

export interface LogReadOptions {
  readonly lines: number;
  /** Only lines from then on. */
  readonly since?: Date | undefined;
  /** Only lines of this level and those above it. */
  readonly level?: LogLevel | undefined;
}

/**
 * One plugin's log: JSON lines in `file`, `file.1`, `file.2`. Bounded in rate and in size whatever the plugin prints;
 * what is over the rate is counted and reported as one line a second. Lines are in the file when `write` returns, so
 * those of a host that crashes are kept. Several processes may write one log.
 */
export class PluginLog {
  readonly #file: string;
  readonly #clock: Clock;
  #options: Required<Omit<PluginLogOptions, 'onLine' | 'onDropped'>>;
  readonly #onLine: PluginLogOptions['onLine'];
  readonly #onDropped: PluginLogOptions['onDropped'];
  #descriptor: number | undefined;
  readonly #rate: LineRate;
  #dropped = 0;
  #report: Timer | undefined;
  #failures = 0;
  #trouble: LogTrouble | undefined;
  /** The file ends within a line. */
  #isTorn = false;
  #closed = false;
  /** When the first line of the current file was written. */
  #begunAtMs = Number.POSITIVE_INFINITY;

  /** Opens nothing yet: a plugin that is silent has no log file. The folder must exist when the first line comes. */
  constructor(file: string, clock: Clock, options: PluginLogOptions = {}) {
    this.#file = file;
    this.#clock = clock;
    this.#options = {
      linesPerSecond: options.linesPerSecond ?? hostLimits.logLinesPerSecond,
      bytesPerSecond: options.bytesPerSecond ?? hostLimits.logBytesPerSecond,
      lineBytes: options.lineBytes ?? wireLimits.logLineBytes,
      fileBytes: options.fileBytes ?? hostLimits.logFileBytes,
      fileAgeMs: options.fileAgeMs ?? Number.POSITIVE_INFINITY,
      files: options.files ?? hostLimits.logFiles,
    };
    this.#onLine = options.onLine;
    this.#onDropped = options.onDropped;
    this.#rate = new LineRate(this.#options, clock);
  }

  /** Lines that could not be written because the disk failed. */
  get failures(): number {
    return this.#failures;
  }

  /** What is lost since the disk began to fail; undefined while lines can be written. */
  get trouble(): LogTrouble | undefined {
    return this.#trouble;
  }

  /** From the next line on. */
  rotateAs(rotation: LogRotation): void {
    this.#options = { ...this.#options, ...rotation };
  }

  /** The last lines, oldest of them first, over all files of this log. Empty when there is none. */
  static read(file: string, options: LogReadOptions): LogLine[] {
    const wanted = Math.min(options.lines, hostLimits.logLinesRead);
    const since = options.since?.toISOString() ?? '';
    const least = logLevel.options.indexOf(options.level ?? 'trace');
    const found: LogLine[] = [];
    for (const one of logFiles(file)) {
      for (const text of linesFromEnd(one)) {
        if (found.length >= wanted) return found.reverse();
        const line = parseLine(text);
        if (line === undefined || logLevel.options.indexOf(line.level) < least) continue;
        // Lines of several processes are in order but for a moment: what is older is only left out.
        if (line.at >= since) found.push(line);
      }
    }
    return found.reverse();
  }

  /**
   * Never throws and never waits for anything but the disk. After `close` it does nothing. A line given as a function
   * is made only when it is within the rate: a flood must not cost what is done to each line.
   */
  write(line: Omit<LogLine, 'at'> | (() => Omit<LogLine, 'at'>)): void {
    if (this.#closed) return;
    if (this.#rate.take()) this.#append(line);
    else this.drop(1);
  }

  /** Counts lines that were over the rate before they came here. */
  drop(lines: number): void {
    if (this.#closed || lines === 0) return;
    this.#dropped += lines;
    this.#onDropped?.(lines);
    this.#report ??= this.#clock.after(1000, () => this.#reportDropped()).unref();
  }

  /** Reports what was dropped and closes the file. */
  close(): void {
    if (this.#closed) return;
    this.#reportDropped();
    this.#closed = true;
    this.#release();
  }

  #reportDropped(): void {
    this.#report?.cancel();
    this.#report = undefined;
    if (this.#dropped === 0) return;
    const dropped = this.#dropped;
    this.#dropped = 0;
    const { linesPerSecond, bytesPerSecond } = this.#options;
    const limit = `${linesPerSecond} lines or ${bytesPerSecond} bytes a second`;
    const message = `${dropped} ${dropped === 1 ? 'line' : 'lines'} dropped: the plugin wrote more than ${limit}`;
    this.#append({ stream: 'host', level: 'warn', message, fields: { dropped } });
  }

  #append(given: Omit<LogLine, 'at'> | (() => Omit<LogLine, 'at'>)): void {
    try {
      const at = new Date(this.#clock.now()).toISOString();
      const line = { at, ...(typeof given === 'function' ? given() : given) };
      this.#follow(line);
      const text = this.#told(at) + formatLine(line, this.#options.lineBytes);
      const bytes = Buffer.byteLength(text);
      this.#rate.spend(bytes);
      const descriptor = this.#ready(bytes);
      // One write, so that lines of several processes do not mix. Half a line is skipped by the reader.
      const whole = Buffer.from(this.#isTorn ? `\n${text}` : text, 'utf8');
      if (writeSync(descriptor, whole) < whole.length) throw new ShortWrite();
      this.#isTorn = false;
      this.#trouble = undefined;
    } catch (error) {
      this.#failures += 1;
      this.#trouble = { lines: (this.#trouble?.lines ?? 0) + 1, reason: troubleReason(error) };
      this.#release();
    }
  }

  /** The line that says what is missing before the first one that can be written again; mostly nothing. */
  #told(at: string): string {
    if (this.#trouble === undefined) return '';
    const { lines, reason } = this.#trouble;
    const message = `${lines} ${lines === 1 ? 'line is' : 'lines are'} missing here: ${reason}`;
    return formatLine({ at, stream: 'host', level: 'warn', message, fields: { lost: lines } }, this.#options.lineBytes);
  }

  #follow(line: LogLine): void {
    try {
      this.#onLine?.(line);
    } catch {
      // Whoever follows a log must not cost its lines.
    }
  }

  /** A descriptor of the current file with room for `bytes`. */
  #ready(bytes: number): number {
    let descriptor = this.#descriptor ?? this.#open();
    let { size, nlink, ino } = fstatSync(descriptor);
    const replaced = nlink === 0 || (size + bytes > this.#options.fileBytes && inodeOf(this.#file) !== ino);
    if (replaced) {
      // Another process rotated or removed it.
      descriptor = this.#open();
      ({ size, nlink, ino } = fstatSync(descriptor));
    }
    // Another process may have begun it anew.
    if (size > 0 && this.#isOld()) {
      descriptor = this.#open();
      ({ size } = fstatSync(descriptor));
    }
    if (size > 0 && (size + bytes > this.#options.fileBytes || this.#isOld())) {
      this.#rotate();
      descriptor = this.#open();
    }
    return descriptor;
  }

  #isOld(): boolean {
    return this.#clock.now() - this.#begunAtMs >= this.#options.fileAgeMs;
  }

  #rotate(): void {
    // Fewer are kept than before.
    for (const extra of logFiles(this.#file).slice(this.#options.files)) rmSync(extra, { force: true });
    for (let index = this.#options.files - 1; index > 0; index -= 1) {
      try {
        renameSync(rotated(this.#file, index - 1), rotated(this.#file, index));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      }
    }
  }

  #open(): number {
    this.#release();
    const flags = constants.O_RDWR | constants.O_CREAT | constants.O_APPEND | constants.O_NOFOLLOW;
    this.#descriptor = openSync(this.#file, flags, 0o600);
    // After a disk that was full, or a host that was killed: the next line must not be taken for the rest of this one.
    this.#isTorn = endsWithinLine(this.#descriptor);
    const first = firstLine(this.#file);
    this.#begunAtMs = first === undefined ? this.#clock.now() : Date.parse(first.at);
    return this.#descriptor;
  }

  #release(): void {
    const descriptor = this.#descriptor;
    this.#descriptor = undefined;
    if (descriptor === undefined) return;
    try {
      closeSync(descriptor);
    } catch {
      // It is gone either way.
    }
  }
}

function rotated(file: string, index: number): string {
  return index === 0 ? file : `${file}.${index}`;
}

/** The files of a log that are there, the current one first. */
export function logFiles(file: string): readonly string[] {
  const name = basename(file);
  const [directory, pattern] = [dirname(file), /^\.(\d{1,3})$/];
  const indices = existing(directory).flatMap((entry) => {
    if (entry === name) return [0];
    const [, index] = entry.startsWith(name) ? (pattern.exec(entry.slice(name.length)) ?? []) : [];
    return index === undefined ? [] : [Number(index)];
  });
  return indices.toSorted((a, b) => a - b).map((index) => rotated(file, index));
}

function existing(directory: string): readonly string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function inodeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.ino ?? -1;
}
