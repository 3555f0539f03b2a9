import type { EndingLimit } from '@mmm/protocol';
import { hostLimits } from '../limits.ts';
import { howToRaise, type LimitName } from '../settings/limits.ts';

/** A limit that was gone over, and how far. */
export interface LimitBreach {
  readonly kind: EndingLimit;
  readonly limit: LimitName;
  readonly value: number;
  /** In the unit of the limit. */
  readonly used: number;
  /** The end of a sentence: what was used, the limit, and what to change. */
  readonly detail: string;
}

const mebibyte = 1024 * 1024;

export function memoryBreach(plugin: string, limitMb: number, usedBytes: number): LimitBreach {
  const used = Math.round(usedBytes / mebibyte);
  const what = `its processes had ${used} MB of memory together`;
  return breach('memory', plugin, 'memory_mb', limitMb, used, `${what} and may have ${limitMb}`);
}

/** The kernel gave one of its processes no more memory, and it ended over that. */
export function memoryRefused(plugin: string, limitMb: number): LimitBreach {
  const what = `one of its processes was refused more memory than the ${limitMb} MB it may have`;
  return breach('memory', plugin, 'memory_mb', limitMb, limitMb, what);
}

/** The kernel ended one of its processes, because the control group of all of them had no more. */
export function memoryExhausted(plugin: string, limitMb: number): LimitBreach {
  const what = `its processes had all the memory of their control group, which is for the ${limitMb} MB they may have`;
  return breach('memory', plugin, 'memory_mb', limitMb, limitMb, what);
}

export function cpuBreach(plugin: string, limit: number, cores: number): LimitBreach {
  const used = Math.round(cores * 100) / 100;
  const seconds = hostLimits.cpuWindowMs / 1000;
  const what = `it used ${used} processor cores over ${seconds} s and may use ${limit}`;
  return breach('cpu', plugin, 'cpu', limit, used, what);
}

export function processesBreach(plugin: string, limit: number): LimitBreach {
  const seconds = hostLimits.processesAtLimitMs / 1000;
  const what = `it started processes without end, for ${seconds} s after most of the ${limit} it may have`;
  return breach('processes', plugin, 'processes', limit, limit, what);
}

export function diskBreach(plugin: string, limitMb: number, usedBytes: number): LimitBreach {
  const used = Math.round(usedBytes / mebibyte);
  const what = `its data folder has ${used} MB and may have ${limitMb}`;
  return breach('disk', plugin, 'disk_mb', limitMb, used, `${what}; delete what it does not need, or`, ' ');
}

/** Too many files, or folders too deep to be measured. */
export function folderBreach(limitMb: number, what: string): LimitBreach {
  return {
    kind: 'disk',
    limit: 'disk_mb',
    value: limitMb,
    used: limitMb,
    detail: `its data folder ${what}, which cannot be kept within ${limitMb} MB; delete what it does not need`,
  };
}

function breach(
  kind: EndingLimit,
  plugin: string,
  limit: LimitName,
  value: number,
  used: number,
  what: string,
  joint = '; ',
): LimitBreach {
  return { kind, limit, value, used, detail: `${what}${joint}${howToRaise(plugin, limit)}` };
}
