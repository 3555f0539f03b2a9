import type { Permission } from '@mmm/protocol';
import { SqliteChainHead } from './chain-head.ts';
import { SqliteConfigurations } from './configurations.ts';
import type { InstallStepStore, PermissionUseStore, WaitingUpdateStore } from './consent.ts';
import { SqliteCrashes } from './crash-records.ts';
import { type ModeStore, SqliteCurrentMode } from './current-mode.ts';
import { Database } from './database.ts';
import { SqliteEvents } from './event-journal.ts';
import type { EventStore } from './event-records.ts';
import { SqliteGrants } from './grants.ts';
import { SqliteInstallSteps } from './install-steps.ts';
import { migrate } from './migrations.ts';
import { type ModelExchangeStore, SqliteModelExchanges } from './model-exchanges.ts';
import { SqlitePermissionUses } from './permission-uses.ts';
import { SqlitePluginRecords } from './plugin-records.ts';
import { type PreviousBundles, SqlitePreviousBundles } from './previous-bundles.ts';
import { SqlitePublishedVersions } from './published-versions.ts';
import { SqliteStateValues, type StateValues } from './state-values.ts';
import { SqliteStatistics } from './statistics.ts';
import { SqliteWaitingUpdates } from './waiting-updates.ts';
import { WalSync } from './wal-sync.ts';

export type GrantSource = 'user' | 'flag' | 'prompt';

/** What a user allowed one plugin of one publisher: a plugin of the same name signed by another key has none of it. */
export interface StoredGrant {
  readonly plugin: string;
  /** The keyid that signed the plugin when it was granted, or `unsigned`, or `registered`. */
  readonly publisher: string;
  readonly key: string;
  readonly permission: Permission;
  readonly source: GrantSource;
  /** RFC 3339, UTC. */
  readonly grantedAt: string;
}

/** What a permission leads to at this moment, as text; undefined for what leads to nothing that can be told again. */
export type PlaceOf = (permission: Permission) => string | undefined;

export interface GrantStore {
  /** Sorted by key. Without `publisher`: of all publishers. */
  list(plugin: string, publisher?: string): StoredGrant[];
  /**
   * Adds all or none, each with what it leads to now. One that is there already keeps its first source and time, and
   * leads from now on to what is there now: it was agreed to again.
   */
  add(
    plugin: string,
    publisher: string,
    permissions: readonly Permission[],
    source: GrantSource,
    grantedAt: string,
  ): void;
  /** What a grant led to when it was agreed to; null when there was nothing, undefined without such a grant. */
  place(plugin: string, publisher: string, key: string): string | null | undefined;
  /** Says later what a grant leads to. Without effect where there is no such grant. */
  pin(plugin: string, publisher: string, key: string, place: string): void;
  /** Takes the keys away for every publisher. Returns how many grants there were. */
  remove(plugin: string, keys: readonly string[]): number;
  removeAll(plugin: string): number;
  /** Files every grant of one publisher under another one, for every plugin. */
  refile(from: string, to: string): void;
}

/** What was decided about one plugin and outlives every process. */
export interface PluginRecord {
  readonly id: string;
  readonly enabled: boolean;
  /** The installed bundle, or null for a plugin that is only found on the search path. */
  readonly bundleSha256: string | null;
  readonly version: string | null;
  /** RFC 3339, UTC. */
  readonly installedAt: string | null;
  /** The bundle that the user excepted by name from needing a signature. Another bundle needs another exception. */
  readonly unsignedException: string | null;
  /** Who signed it, at its last installation or launch. */
  readonly publisher: string | null;
  /** The uid a root host launches it under, once it was launched so. */
  readonly uid: number | null;
}

export interface Installation {
  readonly bundleSha256: string | null;
  readonly version: string | null;
  readonly installedAt: string | null;
  readonly unsignedException: string | null;
}

export interface PluginRecords {
  get(id: string): PluginRecord | undefined;
  /** Sorted by id. */
  list(): PluginRecord[];
  /** Records an installation or an update. A plugin that was disabled stays disabled. */
  installed(id: string, installation: Installation): void;
  /** Also for a plugin that is not installed, only found on the search path. */
  setEnabled(id: string, enabled: boolean): void;
  /** Forgets the plugin, but never its uid: another plugin under that uid could read what this one left behind. */
  removed(id: string): void;
  /**
   * The uid of this plugin: allotted at the first call, from `first` up, and the same ever after. Throws
   * SANDBOX_UNAVAILABLE when `hostLimits.pluginUids` of them are used up.
   */
  uidOf(id: string, first: number): number;
  /**
   * Records whose plugin it is now: for ever, like the uid. When it was another publisher's, that one's uid is put by
   * and `moved` is called with it while no other process can write; when that throws, nothing has changed. A publisher
   * who comes back gets the uid of then.
   */
  claim(id: string, publisher: string, moved: (former: string) => void): void;
  /** Whose plugin it is, also of one that is only found or was removed; null before its first start. */
  publisherOf(id: string): string | null;
  /** Says of every plugin that was one publisher's that it is another one's. Data and uid stay with it. */
  refile(from: string, to: string): void;
}

/** Which content each version of each publisher had when it was installed: for ever, also after a removal. */
export interface PublishedVersions {
  /** Null for a version that was never installed. */
  bundleOf(plugin: string, publisher: string, version: string): string | null;
  installed(plugin: string, publisher: string, version: string, bundleSha256: string): void;
  /** Files what was one publisher's under another one. */
  refile(from: string, to: string): void;
}

/** One finished call. */
export interface CallRecord {
  readonly ok: boolean;
  readonly durationMs: number;
  readonly atMs: number;
}

/** One end of a session. */
export interface ExitRecord {
  readonly atMs: number;
  /** The kind of the ExitReason. */
  readonly kind: string;
  readonly detail: string;
  readonly stderrTail: string;
}

/** What is added up of every session of a plugin. */
export const counterNames = [
  /** On its pipes, as the host sees them: in is what the plugin sent. */
  'bytesIn',
  'bytesOut',
  'messagesIn',
  'messagesOut',
  /** Printed over the rate of a log. */
  'logLinesDropped',
  /** Came too late, twice, or to no request. */
  'answersDropped',
  /** Not sent, because it did not read. */
  'notificationsDropped',
  /** Asked of the host, and not granted. */
  'denials',
  /** Calls that were refused because there were too many in a second. */
  'rateLimited',
  /** Of `record_metric`, over the number of series. */
  'metricsRefused',
  'eventsEmitted',
  'eventsHandled',
  /** Events that it failed to handle as often as they are tried. */
  'eventsPutBy',
] as const;
export type CounterName = (typeof counterNames)[number];

/** One series of a plugin's own metric. */
export interface RecordedSeries {
  readonly name: string;
  /** Sorted by name. */
  readonly labels: Readonly<Record<string, string>>;
  /** Values that were recorded. */
  readonly count: number;
  readonly sum: number;
  readonly last: number;
}

export interface PluginStatistics {
  /** Calls that ended, well or not. */
  readonly executions: number;
  readonly failures: number;
  /** When the last call ended, epoch milliseconds. */
  readonly lastAtMs: number | null;
  readonly totalMs: number;
  readonly maxMs: number;
  /** Calls per latency; bucket i holds those up to bound i of metrics/histogram.ts, the last one the rest. */
  readonly buckets: readonly number[];
  readonly loads: number;
  readonly lastLoadMs: number | null;
  /** Ends of sessions by kind. */
  readonly exits: Readonly<Record<string, number>>;
  /** Newest first, at most `hostLimits.exitsKept`. */
  readonly lastExits: readonly ExitRecord[];
  /** Starts after an end that nobody had asked for, by the kind of that end. */
  readonly restarts: Readonly<Record<string, number>>;
  readonly counters: Readonly<Record<CounterName, number>>;
  /** What it recorded itself, sorted by name and labels. */
  readonly recorded: readonly RecordedSeries[];
}

/** What happened since the last flush: counts to add, times to replace, exits to put in front. */
export type StatisticsDelta = PluginStatistics;

export interface StatisticsStore {
  /** Adds all of it or none, in one transaction. Several processes may add to the same plugin. */
  add(id: string, delta: StatisticsDelta): void;
  /** Makes what `work` adds one transaction: of many small ones most of the time is their ends. */
  together(work: () => void): void;
  /** All zeros for a plugin that was never run. */
  read(id: string): PluginStatistics;
  removeAll(id: string): void;
}

/** What is known of the crashes of one plugin from one host to the next. */
export interface CrashRecord {
  readonly state: 'none' | 'backoff' | 'quarantined';
  /** End of the backoff or of the quarantine, in epoch milliseconds; 0 without one. */
  readonly untilMs: number;
  /** When the last crashes were, in epoch milliseconds, oldest first. */
  readonly crashes: readonly number[];
  /** The error behind a backoff or a quarantine, as an MmmError is made of it. */
  readonly cause: { readonly code: string; readonly message: string; readonly data: unknown } | null;
}

export interface CrashStore {
  /** Undefined for none, and for one that cannot be understood. */
  read(plugin: string): CrashRecord | undefined;
  /** All that can be understood, by plugin. */
  all(): ReadonlyMap<string, CrashRecord>;
  /** All of them or none; undefined removes one. */
  write(records: ReadonlyMap<string, CrashRecord | undefined>): void;
  remove(plugin: string): void;
}

/** What users set for plugins, secrets apart. Tables are JSON objects. */
export interface ConfigurationStore {
  /** Empty when nothing is set. */
  read(plugin: string): Readonly<Record<string, unknown>>;
  /** Stores what `change` makes of it while no other process can write; when that throws, nothing is stored. */
  update(
    plugin: string,
    changedAt: string,
    change: (config: Readonly<Record<string, unknown>>) => Readonly<Record<string, unknown>>,
  ): void;
  remove(plugin: string): void;
}

/** Where a hash chain ends: its last entry and the length of its file up to and with that entry. */
export interface Head {
  /** 0 before the first entry. */
  readonly seq: number;
  /** Lower-case hex; all zeros before the first entry. */
  readonly hash: string;
  readonly bytes: number;
}

/** The head of the audit log. Kept apart from its file, so that cutting the file's end shows. */
export interface ChainHead {
  read(): Head;
  /**
   * Calls `append` with the head while no other process can append, and stores the head it returns. When `append`
   * throws, the head stays and the error passes through.
   */
  advance(append: (head: Head) => Head): Head;
}

/**
 * What outlives every process, in `state.db`. Synchronous: each write is on disk when it returns; statistics and the
 * chain's head are in the kernel, where kill -9 does not reach them. Several processes may have it open at once. Every
 * method throws STATE_UNREADABLE when the file fails.
 */
export interface Store {
  readonly grants: GrantStore;
  readonly plugins: PluginRecords;
  readonly statistics: StatisticsStore;
  readonly configurations: ConfigurationStore;
  readonly crashes: CrashStore;
  readonly waitingUpdates: WaitingUpdateStore;
  readonly previousBundles: PreviousBundles;
  readonly installSteps: InstallStepStore;
  readonly permissionUses: PermissionUseStore;
  readonly modelExchanges: ModelExchangeStore;
  readonly versions: PublishedVersions;
  readonly chain: ChainHead;
  readonly values: StateValues;
  readonly events: EventStore;
  readonly mode: ModeStore;
  /** Whatever was committed by then is on the disk. Of what is written with `full` it is already. */
  readonly wal: Pick<WalSync, 'committed' | 'synced'>;
  /** Writes what is committed now into a file that is there and empty, while others go on writing. */
  copyTo(file: string): Promise<void>;
  /** Moves everything into the file itself. Throws while another process reads or writes. */
  checkpoint(): void;
  /** Another number whenever another process has changed anything. */
  revision(): number;
  close(): void;
}

/**
 * Opens the file, or makes it with mode 0600 in a folder that exists, and brings it to this mmm's schema. Throws
 * STATE_UNREADABLE for a damaged file or one of a newer mmm; neither is changed.
 */
export function openStore(file: string, placeOf?: PlaceOf): Store {
  const database = new Database(file);
  try {
    migrate(database);
  } catch (error) {
    database.close();
    throw error;
  }
  return {
    grants: new SqliteGrants(database, placeOf),
    plugins: new SqlitePluginRecords(database),
    statistics: new SqliteStatistics(database),
    configurations: new SqliteConfigurations(database),
    crashes: new SqliteCrashes(database),
    waitingUpdates: new SqliteWaitingUpdates(database),
    previousBundles: new SqlitePreviousBundles(database),
    installSteps: new SqliteInstallSteps(database),
    permissionUses: new SqlitePermissionUses(database),
    modelExchanges: new SqliteModelExchanges(database),
    versions: new SqlitePublishedVersions(database),
    chain: new SqliteChainHead(database),
    values: new SqliteStateValues(database),
    events: new SqliteEvents(database),
    mode: new SqliteCurrentMode(database),
    wal: new WalSync(file, () => database.checkpoint()),
    copyTo: (copy) => database.copyTo(copy),
    checkpoint: () => database.checkpoint(),
    revision: () => database.get<{ data_version: number }>('PRAGMA data_version')?.data_version ?? 0,
    close: () => database.close(),
  };
}
