import { readFile } from 'node:fs/promises';
import type { LimitValues } from '../settings/limits.ts';

/** The limits one launch runs under, in the units of the kernel. */
export interface ResourceLimits {
  readonly dataBytes: number;
  readonly processes: number;
  readonly files: number;
  readonly fileSizeBytes: number;
  /** Of /tmp, and of /dev/shm again. Held by the file system and not by the process. */
  readonly temporaryBytes: number;
}

const mebibyte = 1024 * 1024;
/** What bubblewrap itself has open while it sets up, with room to spare. */
const filesMin = 64;

/** What the kernel holds of a plugin's limits. */
export function resourceLimits(limits: LimitValues): ResourceLimits {
  return {
    dataBytes: Math.round(limits.memory_mb * mebibyte),
    processes: limits.processes,
    files: limits.files,
    fileSizeBytes: Math.round(limits.file_mb * mebibyte),
    temporaryBytes: Math.round(limits.temporary_mb * mebibyte),
  };
}

/** The programs that can set limits: the first that is there does it. */
export interface Limiters {
  readonly helper: { readonly path: string } | null;
  readonly prlimit: string | null;
}

/**
 * The words in front of the sandbox itself. Its first process stays with the plugin, which an ordinary user's plugin
 * can write into: it must have no more than the plugin. Processes are counted inside, where they are the plugin's own;
 * below a root host the plugin's uid is its own everywhere, and root is not counted.
 */
export function outerLimitArguments(
  { helper, prlimit }: Limiters,
  limits: ResourceLimits,
  ceiling: HardLimits,
  dropsRoot: boolean,
): string[] {
  const processes = dropsRoot ? [processLimit(limits, ceiling)] : [];
  const files = Math.max(limits.files, filesMin);
  const words = [...processes, ...limitsPerProcess({ ...limits, files }, ceiling)];
  if (helper !== null) return [helper.path, ...asHelperWords(words), '--'];
  return prlimit === null ? [] : [prlimit, ...asOptions(words), '--'];
}

/**
 * The `prlimit` words in front of a plugin. The data segment and not the address space is limited, because Node
 * reserves gigabytes of addresses it never uses. No limit is above `ceiling`, the hard limits of this process: raising
 * one fails.
 */
export function limitArguments(prlimit: string, limits: ResourceLimits, ceiling: HardLimits): string[] {
  return [prlimit, ...asOptions([processLimit(limits, ceiling), ...limitsPerProcess(limits, ceiling)]), '--'];
}

/** The same limits as words for our helper. */
export function helperLimits(limits: ResourceLimits, ceiling: HardLimits): string[] {
  return asHelperWords([processLimit(limits, ceiling), ...limitsPerProcess(limits, ceiling)]);
}

function asOptions(words: readonly string[]): string[] {
  return words.map((word) => `--${word}`);
}

function asHelperWords(words: readonly string[]): string[] {
  return words.flatMap((word) => ['--limit', word]);
}

/** Whether nothing is left for a second `prlimit` inside: each program before the plugin costs a millisecond. */
export function outerHoldsAll(limits: ResourceLimits, dropsRoot: boolean): boolean {
  return dropsRoot && limits.files >= filesMin;
}

function processLimit(limits: HardLimits, ceiling: HardLimits): string {
  return `nproc=${Math.min(limits.processes, ceiling.processes)}`;
}

function limitsPerProcess(limits: HardLimits, ceiling: HardLimits): string[] {
  return [
    `data=${Math.min(limits.dataBytes, ceiling.dataBytes)}`,
    `nofile=${Math.min(limits.files, ceiling.files)}`,
    `fsize=${Math.min(limits.fileSizeBytes, ceiling.fileSizeBytes)}`,
    'core=0',
  ];
}

export type HardLimits = Omit<ResourceLimits, 'temporaryBytes'>;

/** The hard limits of this process; Infinity where there is none. */
export async function hardLimits(): Promise<HardLimits> {
  const text = await readFile('/proc/self/limits', 'utf8').catch(() => '');
  return parseHardLimits(text);
}

/** Reads the table of /proc/PID/limits: name, soft limit, hard limit, unit. */
export function parseHardLimits(text: string): HardLimits {
  const hard = (name: string): number => {
    const line = text.split('\n').find((candidate) => candidate.startsWith(name));
    const value = line?.slice(name.length).trim().split(/\s+/)[1];
    return value === undefined || value === 'unlimited' ? Number.POSITIVE_INFINITY : Number(value);
  };
  return {
    dataBytes: hard('Max data size'),
    processes: hard('Max processes'),
    files: hard('Max open files'),
    fileSizeBytes: hard('Max file size'),
  };
}
