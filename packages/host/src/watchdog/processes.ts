import { closeSync, openSync, readdirSync, readFileSync, readSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { statFields } from '../processes/stat-fields.ts';

/** What the kernel says of one process in one line. */
export interface ProcessStat {
  readonly parent: number;
  readonly session: number;
  /** When it started, in the kernel's ticks since boot: a number that is used again has another one. */
  readonly startedAt: number;
  /** Processor time of it and of the children it waited for. */
  readonly cpuMs: number;
  readonly threads: number;
  /** It runs or wants to, or waits for the kernel: it is at work. */
  readonly isRunning: boolean;
  /** Everything that is resident, what it shares with others included. */
  readonly residentBytes: number;
}

/** The processes of this machine. Nothing here throws: a process may be gone at any moment. */
export interface ProcessTable {
  /** Every process there is. Empty where the machine does not say. */
  pids(): readonly number[];
  /** The number given last to a process: while it stays, there is no new one. Undefined when nobody knows. */
  lastPid(): number | undefined;
  stat(pid: number): ProcessStat | undefined;
  /** Everything that is resident, as in `stat`: for when that is all one wants, at half the cost. */
  residentBytes(pid: number): number | undefined;
  /** What it asked the kernel for to write into, used or not: what RLIMIT_DATA counts, and its stack. */
  dataBytes(pid: number): number | undefined;
  /** Memory that only its end gives back: without files, but with what it shares with others. */
  unsharedBytes(pid: number): number | undefined;
  /** The same with each shared page counted in parts. Slow: it walks every page, and may wait for the process. */
  proportionalBytes(pid: number): Promise<number | undefined>;
}

/** Of the auxiliary vector: page size and ticks a second. */
const auxiliary = { pageSize: 6n, ticks: 17n } as const;
/** Of /proc/PID/statm, counted from 0: in pages. */
const statmFields = { resident: 1, data: 5 } as const;
/** A line of /proc/PID/stat has at most some 350 bytes, /proc/PID/status 1,500, more with many processors. */
const statBytes = 8192;

/** Reads /proc. On other systems it has no processes. */
export function systemProcesses(root = '/proc'): ProcessTable {
  const vector = auxiliaryVector(root);
  const pageBytes = vector.get(auxiliary.pageSize) ?? 4096;
  const tickMs = 1000 / (vector.get(auxiliary.ticks) ?? 100);
  const buffer = Buffer.allocUnsafe(statBytes);
  const pagesOf = (pid: number, field: number): number | undefined => {
    const pages = Number(readShort(`${root}/${pid}/statm`, buffer)?.split(' ')[field]);
    return Number.isNaN(pages) ? undefined : pages * pageBytes;
  };
  return {
    pids: () => {
      try {
        return readdirSync(root).filter(isNumber).map(Number);
      } catch {
        return [];
      }
    },
    lastPid: () => {
      const last = Number(readShort(`${root}/loadavg`, buffer)?.split(' ')[4]);
      return Number.isNaN(last) ? undefined : last;
    },
    stat: (pid) => parseStat(readShort(`${root}/${pid}/stat`, buffer), tickMs, pageBytes),
    residentBytes: (pid) => pagesOf(pid, statmFields.resident),
    dataBytes: (pid) => pagesOf(pid, statmFields.data),
    unsharedBytes: (pid) => {
      const text = readShort(`${root}/${pid}/status`, buffer);
      return kilobytes(text, /^(?:RssAnon|RssShmem|VmSwap):\s+(\d+) kB$/gm);
    },
    proportionalBytes: async (pid) => {
      const text = await readFile(`${root}/${pid}/smaps_rollup`, 'latin1').catch(() => undefined);
      return kilobytes(text, /^(?:Pss_Anon|Pss_Shmem|SwapPss):\s+(\d+) kB$/gm);
    },
  };
}

/** Reads one line of /proc/PID/stat. */
export function parseStat(line: string | undefined, tickMs: number, pageBytes: number): ProcessStat | undefined {
  if (line === undefined) return undefined;
  const field = statFields(line);
  const number = (index: number): number => Number(field(index));
  const state = field(3);
  const stat = {
    parent: number(4),
    session: number(6),
    startedAt: number(22),
    cpuMs: (number(14) + number(15) + number(16) + number(17)) * tickMs,
    threads: number(20),
    isRunning: state === 'R' || state === 'D',
    residentBytes: number(24) * pageBytes,
  };
  return Number.isNaN(stat.residentBytes) ? undefined : stat;
}

function isNumber(name: string): boolean {
  const first = name.charCodeAt(0);
  return first >= 0x30 && first <= 0x39;
}

/** Without asking for the size first, which is 0 for every file there. */
function readShort(path: string, buffer: Buffer): string | undefined {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(path, 'r');
    return buffer.toString('latin1', 0, readSync(descriptor, buffer, 0, buffer.length, 0));
  } catch {
    return undefined;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}

/** The sum of the fields that match; undefined when there is none of them. */
function kilobytes(text: string | undefined, field: RegExp): number | undefined {
  const found = [...(text?.matchAll(field) ?? [])];
  return found.length === 0 ? undefined : found.reduce((sum, [, kilo]) => sum + Number(kilo) * 1024, 0);
}

function auxiliaryVector(root: string): Map<bigint, number> {
  const found = new Map<bigint, number>();
  try {
    const bytes = readFileSync(`${root}/self/auxv`);
    for (let at = 0; at + 16 <= bytes.length; at += 16) {
      found.set(bytes.readBigUInt64LE(at), Number(bytes.readBigUInt64LE(at + 8)));
    }
  } catch {
    // Not Linux, or hidden: the usual values.
  }
  return found;
}
