import type { DoctorCheck } from './api.ts';
import type { EnforcementDimension } from './sandbox/launch-command.ts';
import type { SandboxProbe, SandboxRung } from './sandbox/probe.ts';

/** What the ladder is judged with. */
export interface LadderMeans {
  readonly probe: SandboxProbe;
  /** The policy takes Landlock for every plugin. */
  readonly acceptsLandlock: boolean;
}

/**
 * What becomes of a plugin that is started here, from what was tried: which rung it gets, what each rung would do, what
 * the one it gets does not wholly enforce, and what is refused for want of a program.
 */
export function sandboxChecks(means: LadderMeans): DoctorCheck[] {
  const { probe } = means;
  return [sandboxCheck(means), ...probe.rungs.map(rungCheck), ...dimensionChecks(probe), forwarderCheck(means)];
}

function sandboxCheck({ probe, acceptsLandlock }: LadderMeans): DoctorCheck {
  const name = 'sandbox';
  const { bubblewrap, mechanism, advice } = probe;
  const fix = advice === undefined ? {} : { fix: advice };
  if (mechanism === 'bubblewrap') {
    const version = bubblewrap.version === null ? '' : ` ${bubblewrap.version}`;
    return { name, status: 'ok', message: `bubblewrap${version} works: it was run with the profile plugins get` };
  }
  const reason = bubblewrap.reason ?? 'bubblewrap was not found';
  if (mechanism === 'none') {
    return { name, status: 'problem', message: `no sandbox works, so plugins are refused: ${reason}`, ...fix };
  }
  if (acceptsLandlock) {
    return {
      name,
      status: 'warning',
      message: `plugins are confined by Landlock, as the policy says: ${reason}`,
      ...fix,
    };
  }
  const message = `plugins are refused, unless one is named by --landlock or by --unconfined: ${reason}`;
  return { name, status: 'problem', message, ...fix };
}

const rungNames = { bubblewrap: 'bubblewrap', landlock: 'Landlock', none: 'no confinement' } as const;

/** One line for each rung: whether it works, and what it would enforce. */
function rungCheck({ mechanism, works, reason, dimensions, advice }: SandboxRung): DoctorCheck {
  const name = `rung ${rungNames[mechanism]}`;
  if (!works) {
    // A rung that nobody needs is no reason to do anything.
    return {
      name,
      status: 'ok',
      message: `does not work: ${reason ?? ''}`,
      ...(advice === undefined ? {} : { fix: advice }),
    };
  }
  const groups = ['enforced', 'partial', 'declared'].flatMap((level) => {
    const all = Object.entries(dimensions).filter(([, value]) => value === level);
    return all.length === 0 ? [] : [`${level}: ${all.map(([dimension]) => dimension).join(', ')}`];
  });
  return { name, status: 'ok', message: `works; ${groups.join('; ')}` };
}

/** Without these programs plugins run, but none that was granted a host. */
function forwarderCheck({ probe }: LadderMeans): DoctorCheck {
  const { tools, mechanism, advice } = probe;
  const { setpriv, nsenter, socat } = tools;
  const name = 'way to granted hosts';
  const missing = Object.entries({ setpriv, nsenter, socat }).filter(([, path]) => path === null);
  const fix = advice === undefined ? {} : { fix: advice };
  if (mechanism === 'landlock') {
    return { name, status: 'warning', message: 'plugins with network grants are refused: it takes bubblewrap', ...fix };
  }
  if (missing.length === 0) return { name, status: 'ok', message: 'setpriv, nsenter and socat are there' };
  const names = missing.map(([tool]) => tool).join(' and ');
  return { name, status: 'warning', message: `plugins with network grants are refused: ${names} not found`, ...fix };
}

function dimensionChecks(probe: SandboxProbe): DoctorCheck[] {
  return Object.entries(probe.dimensions).map(([dimension, level]): DoctorCheck => {
    const name = `confinement of ${dimension}`;
    if (level === 'enforced') return { name, status: 'ok', message: level };
    const reason = weaknesses[probe.mechanism]?.[dimension as EnforcementDimension];
    return { name, status: 'warning', message: reason === undefined ? level : `${level}: ${reason(probe)}` };
  });
}

type Weaknesses = { readonly [D in EnforcementDimension]?: (probe: SandboxProbe) => string };

const noFilter = (): string => 'mmm has no filter of system calls for this processor';
const memory = ({ tools }: SandboxProbe): string =>
  tools.prlimit === null && tools.helper === null
    ? 'nothing limits it, because prlimit was not found'
    : 'the kernel limits each process of a plugin; all of them together are looked at, and ended a moment later';

/** Why a dimension is not wholly enforced although the sandbox works. */
const weaknesses: { readonly [M in SandboxProbe['mechanism']]?: Weaknesses } = {
  bubblewrap: {
    processes: () => 'they are out of sight, but not counted, because prlimit was not found',
    ipc: noFilter,
    memory,
  },
  landlock: {
    filesystem: ({ landlock }) =>
      landlock.abi < 3 ? 'Landlock of this kernel lets files be cut that cannot be opened' : noFilter(),
    network: noFilter,
    processes: ({ landlock }) =>
      landlock.abi < 6
        ? 'it can signal every process of yours'
        : 'it is among the processes of the host: it cannot reach them, but counts with them',
    ipc: noFilter,
    memory,
  },
};
