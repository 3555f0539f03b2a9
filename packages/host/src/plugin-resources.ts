import { statfsSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import type { Clock } from '@mmm/rpc';
import type { AuditSink } from './audit/audit-log.ts';
import type { PluginSpec } from './discover/spec.ts';
import { type LimitsSection, type PluginLimits, pluginLimits } from './settings/limits.ts';
import type { LimitBreach } from './watchdog/breach.ts';
import { folderSize } from './watchdog/folder-size.ts';
import { type LimitWatch, watchLimits } from './watchdog/limit-watch.ts';
import { systemProcesses } from './watchdog/processes.ts';
import type { PluginUsage } from './watchdog/usage.ts';
import { Watchdog, type Watched } from './watchdog/watchdog.ts';

export interface PluginResourcesOptions {
  readonly clock: Clock;
  readonly audit: AuditSink;
  /** `[limits]` of config.toml as it is now, if it has one. */
  readonly settings: () => LimitsSection | undefined;
}

/** What plugins may use, and whether they keep to it. */
export class PluginResources {
  readonly #options: PluginResourcesOptions;
  readonly #watchdog: Watchdog;

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
    const watch = watchLimits(this.#watchdog, { ...process, plugin: spec.id, limits: this.limitsOf(spec), exceeded });
    return {
      ended: (end) => {
        const breach = watch.ended(end);
        if (breach !== undefined) this.#record(spec.id, breach);
        return breach;
      },
    };
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
