import { readFile } from 'node:fs/promises';
import type { Manifest } from '@mmm/protocol';
import { hostLimits } from '../limits.ts';

/** The limits one launch runs under, in the units of the kernel. */
export interface ResourceLimits {
  readonly dataBytes: number;
  readonly processes: number;
  readonly files: number;
  readonly fileSizeBytes: number;
}

const mebibyte = 1024 * 1024;
/** What bubblewrap itself has open while it sets up, with room to spare. */
const filesMin = 64;

/** What the manifest asks for, or the defaults. */
export function resourceLimits(limits: Manifest['limits']): ResourceLimits {
  return {
    dataBytes: Math.round((limits.memory_mb ?? hostLimits.memoryMb) * mebibyte),
    processes: limits.processes ?? hostLimits.processes,
    files: limits.files ?? hostLimits.files,
    fileSizeBytes: hostLimits.fileSizeMb * mebibyte,
  };
}

/**
 * The `prlimit` words in front of a plugin. The data segment and not the address space is limited, because Node
 * reserves gigabytes of addresses it never uses. No limit is above `ceiling`, the hard limits of this process: raising
 * one fails.
 */
export function limitArguments(prlimit: string, limits: ResourceLimits, ceiling: HardLimits): string[] {
  const processes = `--nproc=${Math.min(limits.processes, ceiling.processes)}`;
  return [prlimit, processes, ...limitsPerProcess(limits, ceiling), '--'];
}

/**
 * The words in front of the sandbox itself. Its first process stays with the plugin, which an ordinary user's plugin
 * can write into: it must have no more than the plugin. Processes are counted inside, where they are the plugin's own.
 */
export function outerLimitArguments(prlimit: string, limits: ResourceLimits, ceiling: HardLimits): string[] {
  return [prlimit, ...limitsPerProcess({ ...limits, files: Math.max(limits.files, filesMin) }, ceiling), '--'];
}

function limitsPerProcess(limits: ResourceLimits, ceiling: HardLimits): string[] {
  return [
    `--data=${Math.min(limits.dataBytes, ceiling.dataBytes)}`,
    `--nofile=${Math.min(limits.files, ceiling.files)}`,
    `--fsize=${Math.min(limits.fileSizeBytes, ceiling.fileSizeBytes)}`,
    '--core=0',
  ];
}

export type HardLimits = ResourceLimits;

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
