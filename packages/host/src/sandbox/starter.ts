import {
  type HardLimits,
  helperLimits,
  limitArguments,
  outerHoldsAll,
  type ResourceLimits,
} from './resource-limits.ts';
import type { SandboxTools } from './tools.ts';

export interface StarterParts {
  readonly dropsRoot: boolean;
  readonly uid: number;
  /** Groups that stay: those of devices it was granted. */
  readonly groups?: readonly number[];
  readonly tools: Pick<SandboxTools, 'setpriv' | 'prlimit' | 'helper'>;
  readonly limits: ResourceLimits;
  readonly ceiling: HardLimits;
}

/** The programs inside the sandbox that stand before the plugin; each costs time, so none without need. */
export function starterPrograms({ tools, dropsRoot, limits }: StarterParts): readonly string[] {
  const { helper, setpriv, prlimit } = tools;
  const isHeld = outerHoldsAll(limits, dropsRoot);
  const needed =
    helper === null
      ? [dropsRoot ? setpriv : null, isHeld ? null : prlimit]
      : [dropsRoot || !isHeld ? helper.path : null];
  return needed.filter((program) => program !== null);
}

/**
 * The words in front of the plugin: leave root, then take limits that count for this uid in this namespace. `inside`
 * says where the sandbox shows a program.
 */
export function starter(parts: StarterParts, inside: (program: string) => string): readonly string[] {
  const { tools, dropsRoot, uid, groups = [], limits, ceiling } = parts;
  const { helper, setpriv, prlimit } = tools;
  if (helper !== null) {
    if (starterPrograms(parts).length === 0) return [];
    const leave = dropsRoot ? ['--uid', String(uid), ...groups.flatMap((group) => ['--group', String(group)])] : [];
    return [inside(helper.path), ...leave, ...helperLimits(limits, ceiling), '--sweep', '--'];
  }
  const drop = dropsRoot && setpriv !== null ? dropArguments(inside(setpriv), uid, [], groups) : [];
  const isHeld = prlimit === null || outerHoldsAll(limits, dropsRoot);
  return [...drop, ...(isHeld ? [] : limitArguments(inside(prlimit), limits, ceiling))];
}

/**
 * The `setpriv` words that leave root for good: no capability, no group but those of devices it was granted, no way to
 * gain a privilege again.
 */
export function dropArguments(
  setpriv: string,
  uid: number,
  more: readonly string[] = [],
  groups: readonly number[] = [],
): string[] {
  const keep = groups.length === 0 ? '--clear-groups' : `--groups=${groups.join(',')}`;
  return [
    setpriv,
    ...more,
    ...[`--reuid=${uid}`, `--regid=${uid}`, keep, '--inh-caps=-all', '--bounding-set=-all'],
    ...['--no-new-privs', '--'],
  ];
}
