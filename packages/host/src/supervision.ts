import type { PluginSpec } from './discover/spec.ts';
import { recordId } from './identity.ts';
import type { Launcher } from './launcher.ts';
import type { ResolvedOptions } from './options.ts';
import type { PluginServices } from './plugin-services.ts';
import { supervisionFor } from './settings/supervision.ts';
import { prepareSpare } from './standby.ts';
import type { CrashMemories } from './store/crash-memory.ts';
import { type SupervisionPolicy, supervisionPolicyOf } from './supervise/policy.ts';
import type { Spare } from './supervise/spares.ts';

export interface SupervisionParts {
  readonly options: Pick<ResolvedOptions, 'settings' | 'clock'>;
  readonly launcher: Pick<Launcher, 'launch' | 'admission'>;
  readonly crashes: CrashMemories;
  /** Throws when the plugin may not be used now. */
  assertUsable(): void;
}

/** How one plugin is supervised, by its manifest and the settings, and what that needs of the host. */
export function supervisionOf(
  spec: PluginSpec,
  parts: SupervisionParts,
): Pick<PluginServices, 'supervision' | 'crashes' | 'prepare'> {
  const policy = following(() => {
    return supervisionPolicyOf(spec.manifest, supervisionFor(spec.id, parts.options.settings.supervision));
  });
  // Part of the program: there is no process to save or to keep ready.
  if (spec.origin === 'registered') return { supervision: inProcess(policy), crashes: undefined, prepare: undefined };
  // What is tried out is started by hand each time, and its crashes say nothing about the installed one.
  if (spec.origin === 'development') return { supervision: policy, crashes: undefined, prepare: undefined };
  const { standby } = policy;
  return {
    supervision: policy,
    crashes: parts.crashes.of(recordId(spec)),
    prepare: standby === 'off' ? undefined : (signal) => spareOf(spec, standby, parts, signal),
  };
}

async function spareOf(
  spec: PluginSpec,
  kind: 'loaded' | 'initialized',
  { launcher, options, assertUsable }: SupervisionParts,
  signal: AbortSignal,
): Promise<Spare> {
  assertUsable();
  return await prepareSpare(
    {
      kind,
      launch: (aborted, standby) => launcher.launch(spec, aborted, { ask: false, standby }),
      admission: () => launcher.admission(spec),
      now: () => options.clock.monotonic(),
    },
    signal,
  );
}

/**
 * What the settings say at the moment in which it is asked for. Whether a spare is kept is decided once, when the
 * plugin is first used: a process that is kept ready is not made ready by a changed file.
 */
function following(policy: () => SupervisionPolicy): SupervisionPolicy {
  const { standby } = policy();
  return {
    get restart() {
      return policy().restart;
    },
    get liveness() {
      return policy().liveness;
    },
    get idleStopMs() {
      return policy().idleStopMs;
    },
    standby,
  };
}

function inProcess(policy: SupervisionPolicy): SupervisionPolicy {
  return { ...policy, idleStopMs: Number.POSITIVE_INFINITY, standby: 'off' };
}
