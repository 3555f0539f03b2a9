/** A problem of config.toml, with its place there. */
export interface MappingProblem {
  /** From 1. */
  readonly line: number;
  readonly column: number;
  /** The key, such as `modes[0].mappings[1].action.params.url`. */
  readonly path: string;
  readonly message: string;
}

export interface ModeInfo {
  readonly index: number;
  readonly name: string;
  readonly isCurrent: boolean;
  readonly mappings: number;
}

export interface MappingInfo {
  readonly name: string;
  readonly description: string | null;
  /** Null for one of every mode. */
  readonly mode: string | null;
  readonly enabled: boolean;
  /** Enabled, and its mode is in force: its events lead to its action. */
  readonly isActive: boolean;
  /** In one line, as the file says it. */
  readonly trigger: string;
  readonly action: string;
  /** What is wrong with it, seen against the plugins that are there now. Empty when nothing is. */
  readonly problems: readonly MappingProblem[];
  /** Of this host, since it runs mappings. */
  readonly runs: number;
  readonly failures: number;
  /** RFC 3339; null before the first. */
  readonly lastAt: string | null;
  readonly lastError: string | null;
}

export interface TriggerInfo {
  readonly plugin: string;
  readonly trigger: string;
  readonly instance: string;
  /** `waiting`: for its plugin to start, for another host of this home that arms it, or for its mode. */
  readonly state: 'armed' | 'waiting' | 'failed';
  /** Why it is not armed; null when it is, or nobody knows. */
  readonly reason: string | null;
}

export interface MappingsReport {
  /** Absolute path of config.toml. */
  readonly file: string;
  /** This host runs mappings and arms triggers: see `Mappings.run`. */
  readonly isRunning: boolean;
  readonly modes: readonly ModeInfo[];
  readonly mappings: readonly MappingInfo[];
  readonly triggers: readonly TriggerInfo[];
  /** Of `[triggers]`. Those of a mapping are with it. */
  readonly problems: readonly MappingProblem[];
}

/** An event to try mappings with. */
export interface MappingTrial {
  /** Only this mapping; the rest of the event is then what its trigger asks for, unless it is given. Default: all. */
  readonly mapping?: string;
  readonly type?: string;
  readonly data?: unknown;
  /** The plugin that the event is from. */
  readonly source?: string;
  /** The instance of the trigger that it is from. */
  readonly instance?: string;
  /** As if this mode were in force. Default: the one that is. */
  readonly mode?: string;
}

/** What one mapping makes of an event. */
export interface MappingTest {
  readonly mapping: string;
  /** Its action, or would be: null when the event is not for it or its params could not be made. */
  readonly action: { readonly plugin: string; readonly capability: string; readonly params: unknown } | null;
  /** The mode it puts in force; null when it calls a plugin. */
  readonly mode: string | null;
  /** Why it would fail: by its params, its schema or its plugin. */
  readonly problem: string | null;
}

export interface MappingFired extends MappingTest {
  readonly ok: boolean;
  /** What the capability answered; null when it failed. */
  readonly output: unknown;
  readonly durationMs: number;
}

/** What events lead to, by `[triggers]`, `[[modes]]` and `[[global_mappings]]` of config.toml. */
export interface Mappings {
  /**
   * Arms the triggers of plugins and runs what events lead to, until the host is closed; also what was journalled
   * before and not acted on. Of the hosts of a home one does so at a time; another waits for its end. Resolves when
   * everything was begun.
   */
  run(): Promise<void>;
  /** All of them, checked against the plugins that are there. */
  list(): Promise<MappingsReport>;
  /** What an event would lead to. Runs nothing. Throws CONFIG_INVALID for a mapping or mode that is not there. */
  test(trial: MappingTrial): Promise<readonly MappingTest[]>;
  /** Does it, once: nothing is journalled and nothing is tried again. Throws as `test` does. */
  fire(trial: MappingTrial): Promise<readonly MappingFired[]>;
  /** Puts a mode in force, also for later hosts of this home. Throws CONFIG_INVALID for one that is not there. */
  setMode(name: string): Promise<ModeInfo>;
}

export interface HostMappings {
  readonly mappings: Mappings;
}
