import { release } from 'node:os';
import type { DoctorCheck } from './api.ts';
import type { SandboxProbe } from './sandbox/probe.ts';
import { limitEffects } from './settings/limit-effects.ts';
import { type LimitName, limitNames } from './settings/limits.ts';

/** What this machine has to hold limits with. */
export interface LimitMeans {
  readonly probe: Pick<SandboxProbe, 'mechanism' | 'tools'>;
  /** Whether the system tells of processes: without that nobody can look at them. */
  readonly seesProcesses: boolean;
  readonly isRoot: boolean;
  readonly kernel: string;
  /** What the settings name, and whether groups can be made there; undefined when they name none. */
  readonly controlGroup?: { readonly folder: string; readonly works: boolean } | undefined;
}

/** Says of each limit whether this machine can hold it, and how. */
export function limitChecks(means: LimitMeans): DoctorCheck[] {
  return limitNames.map((name) => {
    const missing = whatIsMissing(name, means);
    const inGroup = name === 'memory_mb' && means.controlGroup?.works === true;
    const how = inGroup ? `${limitEffects[name].how}; and by a control group of its own` : limitEffects[name].how;
    const check = { name: `limit ${name}`, message: how };
    if (missing === undefined) return { ...check, status: 'ok' };
    return { ...check, status: 'warning', message: missing.what, ...(missing.fix && { fix: missing.fix }) };
  });
}

export function limitMeans(
  probe: LimitMeans['probe'],
  seesProcesses: boolean,
  controlGroup: LimitMeans['controlGroup'],
): LimitMeans {
  return { probe, seesProcesses, isRoot: process.getuid?.() === 0, kernel: release(), controlGroup };
}

interface Missing {
  readonly what: string;
  readonly fix?: string;
}

function whatIsMissing(name: LimitName, means: LimitMeans): Missing | undefined {
  const { probe, seesProcesses, isRoot, kernel, controlGroup } = means;
  const { by } = limitEffects[name];
  if (name === 'memory_mb' && controlGroup?.works === false) {
    return {
      what: `no group with a limit of memory can be made in ${controlGroup.folder}: it is held as without one`,
      fix: 'Name a folder in [limits] control_group that mmm may write to and that hands on the memory controller.',
    };
  }
  if (name === 'temporary_mb') {
    if (probe.mechanism === 'bubblewrap') return undefined;
    const why = probe.mechanism === 'landlock' ? 'a folder in that of the plugin is its /tmp' : 'no sandbox works';
    return { what: `nothing limits it: ${why}` };
  }
  if (by.includes('kernel') && probe.tools.prlimit === null && probe.tools.helper === null) {
    const only =
      by.includes('watchdog') && seesProcesses
        ? 'only what is over it for a while is seen and ended'
        : 'nothing limits it';
    return { what: `${only}: prlimit was not found`, fix: 'Install util-linux.' };
  }
  if (by.includes('watchdog') && !seesProcesses) {
    const only = by.includes('kernel') ? 'only each process is limited, not all together' : 'nothing limits it';
    return { what: `${only}: /proc does not tell of processes here` };
  }
  // Until Linux 5.14 all processes of a user counted together, whatever namespace they were in.
  if (name === 'processes' && !isRoot && isOlder(kernel, 5, 14)) {
    return { what: `on Linux ${kernel} all your processes count together, so that plugins may get fewer than theirs` };
  }
  return undefined;
}

function isOlder(version: string, major: number, minor: number): boolean {
  const [first = 0, second = 0] = version.split('.').map(Number);
  return first < major || (first === major && second < minor);
}
