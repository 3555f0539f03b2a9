import { statfsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Clock } from '@mmm/rpc';
import type { AuditSink } from './audit/audit-log.ts';
import type { PluginSpec } from './discover/spec.ts';
import { hostLimits } from './limits.ts';
import { type LimitsSection, type LimitValues, type PluginLimits, pluginLimits } from './settings/limits.ts';
import type { LimitBreach } from './watchdog/breach.ts';
import { folderSize } from './watchdog/folder-size.ts';
import { type LimitWatch, watchLimits } from './watchdog/limit-watch.ts';
import { type MemoryGroup, MemoryGroups } from './watchdog/memory-group.ts';
import { systemProcesses } from './watchdog/processes.ts';
import type { PluginUsage } from './watchdog/usage.ts';
import { Watchdog, type Watched } from './watchdog/watchdog.ts';

export interface PluginResourcesOptions {
  readonly clock: Clock;
  readonly audit: AuditSink;
  /** `[limits]` of config.toml as it is now, if it has one. */
  readonly settings: () => LimitsSection | undefined;
  /** Opens the control group that the settings name. Default: the machine's. */
  readonly openGroups?: (parent: string) => Pick<MemoryGroups, 'make'> | undefined;
}

interface OpenedGroups {
  readonly parent: string;
  readonly groups: Pick<MemoryGroups, 'make'> | undefined;
}

const mebibyte = 1024 * 1024;

/** What plugins may use, and whether they keep to it. */
export class PluginResources {
  readonly #options: PluginResourcesOptions;
  readonly #watchdog: Watchdog;
  /** Of the folder that the settings name; tried once. */
  #opened: OpenedGroups | undefined;

  constructor(options: PluginResourcesOptions) {
    this.#options = options;
    this.#watchdog = new Watchdog({
      clock: options.clock,
      processes: systemProcesses(),
      measureFolder: folderSize,
      processors: availableParallelism(),
      freeBytes,
    });
  }

  limitsOf({ id, manifest }: Pick<PluginSpec, 'id' | 'manifest'>): PluginLimits {
    return pluginLimits(id, manifest.limits, this.#options.settings());
  }

  /** Watches one process of a plugin until it ended. A breach is in the audit log before the plugin is ended for it. */
  watch(
    spec: PluginSpec,
    process: Pick<Watched, 'pid' | 'helpers' | 'dataDirectory' | 'isBusy' | 'exceeded'>,
  ): LimitWatch {
    const exceeded = (breach: LimitBreach): void => {
      this.#record(spec.id, breach);
      process.exceeded(breach);
    };
    const limits = this.limitsOf(spec);
    const group = this.#groupFor(process.pid, limits);
    const watch = watchLimits(this.#watchdog, {
      ...{ ...process, plugin: spec.id, limits, exceeded },
      ...(group === undefined ? {} : { oomKills: () => group.oomKills() }),
    });
    return {
      ended: (end) => {
        const breach = watch.ended(end);
        group?.end();
        if (breach !== undefined) this.#record(spec.id, breach);
        return breach;
      },
    };
  }

  /** The control group that the settings name, and whether groups can be made there; undefined when they name none. */
  get controlGroup(): { readonly folder: string; readonly works: boolean } | undefined {
    const opened = this.#openGroups();
    return opened && { folder: opened.parent, works: opened.groups !== undefined };
  }

  #openGroups(): OpenedGroups | undefined {
    const parent = this.#options.settings()?.control_group;
    if (parent === undefined) return undefined;
    if (this.#opened?.parent === parent) return this.#opened;
    const open = this.#options.openGroups ?? ((folder: string) => MemoryGroups.ofHost(folder));
    this.#opened = { parent, groups: open(parent) };
    return this.#opened;
  }

  /** A group with this process in it, which the sandbox that it becomes has not begun to work in yet. */
  #groupFor(pid: number, { memory_mb, temporary_mb }: LimitValues): MemoryGroup | undefined {
    const groups = this.#openGroups()?.groups;
    // Its /tmp and its /dev/shm are memory that counts there.
    const megabytes = memory_mb + 2 * temporary_mb + hostLimits.groupHelpersMb;
    const group = groups?.make(Math.round(megabytes * mebibyte));
    if (group === undefined || group.join(pid)) return group;
    group.end();
    return undefined;
  }

  /** To be told of every call: whoever works is looked at more often. Costs next to nothing. */
  called(): void {
    this.#watchdog.nudge();
  }

  /** What the processes of a plugin use now; undefined when none runs. */
  usage(plugin: string): PluginUsage | undefined {
    return this.#watchdog.usageOf(plugin);
  }

  #record(plugin: string, { limit, value, used }: LimitBreach): void {
    try {
      this.#options.audit.append({ action: 'limit', plugin, detail: { limit, value, used } });
    } catch {
      // It is ended all the same: a log that cannot be written must not keep a memory hog alive.
    }
  }
}

/** Free space on the disk of a folder. */
function freeBytes(folder: string): number | undefined {
  try {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  } catch {
    return undefined;
  }
}
