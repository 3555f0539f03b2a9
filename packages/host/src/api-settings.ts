import type { FollowOptions } from './log/follow-log.ts';
import type { LogLine } from './log/plugin-log.ts';

/** One `[[plugins]]` of config.toml. */
export interface ListedPlugin {
  readonly plugin: string;
  /** Started with the daemon. */
  readonly start: boolean;
  /** Why it is not in use; null when it is. */
  readonly problem: string | null;
}

/** What a host that runs for long needs beside `Host`. */
export interface HostOperation {
  /**
   * Reads config.toml of the home again and takes it over as a whole: policy, trust, limits, supervision and listed
   * plugins, from the next decision or launch on. What runs keeps the limits it was started with. Throws CONFIG_INVALID
   * with every problem; what was in force before then stays in force.
   */
  reloadSettings(): Promise<void>;
  /** The plugins that config.toml lists by path or command. Starts nothing. */
  listedPlugins(): Promise<readonly ListedPlugin[]>;
  /**
   * The last lines of a plugin's log, and then each further one, whichever process writes it, until the signal aborts.
   * Throws PLUGIN_NOT_FOUND.
   */
  followLog(id: string, options?: FollowOptions): AsyncIterable<LogLine>;
}
