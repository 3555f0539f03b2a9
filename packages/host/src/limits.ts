import { wireLimits } from '@mmm/protocol';
import { eventLimits } from './event-limits.ts';
import { triggerLimits } from './trigger-limits.ts';

/**
 * Every number the host decides by, with its reason. The wire's own bounds are `wireLimits` in @mmm/protocol. A
 * manifest (`[limits]`, `[restart]`) or the configuration may change the ones its schema names; nothing else may.
 */
export const hostLimits = {
  // Starting

  /** Spawn to the answer to `initialize`. A cold Python with imports on a loaded machine takes 2–4 s. */
  startTimeoutMs: 10_000,
  /** The most a manifest may ask for with `[limits] start_timeout_s`: a person still waits for it. */
  startTimeoutMaxMs: 120_000,
  /** Concurrent starts per CPU core. A start is CPU-bound; more at once only makes each of them later. */
  startsPerCore: 1,
  /** One start keeps its place among them this long at most: by then it waits rather than works. */
  startTurnMs: 1_000,
  /** stderr and stray stdout kept in memory per session, to show with an error: about forty lines. */
  stderrTailBytes: 4 * 1024,

  // Calling

  /** A call without an answer or progress for this long fails; each progress starts it anew. */
  callIdleTimeoutMs: 30_000,
  /** A call ends after this whatever it reports, so that a plugin cannot hold one open for ever. */
  callTimeoutMaxMs: 10 * 60_000,
  /** Calls one session handles at a time, unless `[limits] concurrency` says less. */
  callsInFlight: 64,
  /** Calls that may wait for a free place in one plugin's queue; the next one fails as BUSY. */
  queuedCalls: 256,
  /** Bytes of input that may wait in one plugin's queue (or one call, if that is larger). */
  queuedBytes: 8 * 1024 * 1024,
  /** Every pending call settles within this after the exit of its plugin: a person does not notice it. */
  settleAfterExitMs: 100,
  /** Depth of execute_capability from plugin to plugin; real chains have two or three links. */
  composeDepth: 8,
  /** What one plugin may ask of other plugins in a second: a busy one has a hundred; each costs two messages. */
  peerRequestsPerSecond: 1_000,
  /** Bytes one plugin may have on their way to others (or one message, if that is larger). */
  peerBytes: 16 * 1024 * 1024,
  /** Largest specification in bytes: a document that people read. */
  specBytes: 1024 * 1024,
  /** Largest front matter of one: a hundred keys. */
  frontMatterBytes: 16 * 1024,
  /** Exchanges with models kept for each plugin, and their bytes: together they fit into one answer. */
  exchangesKept: 500,
  exchangeBytes: 4 * 1024 * 1024,
  /** Compiled input and output schemas kept in memory; a compiled schema is 20–100 KB. */
  compiledSchemas: 1_000,
  /** Largest JSON Schema of a capability. The largest tool schemas in use have 50 KB. */
  schemaBytes: 256 * 1024,
  /** Most values and keys in one JSON Schema: compiling is linear in them, about 20 µs each. */
  schemaNodes: 10_000,
  /** Steps one validation may take. A schema can ask for 2^64 of them in a page; this many are about a second. */
  validationSteps: 20_000_000,
  /** Longest text a `format` is checked on: some formats take quadratic time. */
  formatChars: 4 * 1024,
  /** Wrong fields listed with one error; a person reads a few, and each one costs memory. */
  issuesListed: 20,
  /** For an answer to `complete`: a person waits for it with a finger on the Tab key. */
  completeTimeoutMs: 2_000,
  /** Callers that may wait for one plugin to start; the next one fails as BUSY. */
  sessionWaiters: 1_000,
  /** State changes kept for one reader of `changes`; the oldest are dropped when it does not read. */
  changesKept: 64,

  // Stopping: shutdown request → end of stdin → SIGTERM → SIGKILL of the group and its namespace

  /** For calls in flight to end before the first rung; with the rungs below `closeMaxMs`. */
  drainMs: 1_000,
  /** How often a draining plugin is looked at. */
  drainPollMs: 25,

  /** For calls that a replaced session still works on: as long as a call may be silent, and no reload waits for it. */
  reloadDrainMs: 30_000,
  /** A candidate has to live on so long after it answered: most faults of a new version show right after its start. */
  reloadSettleMs: 250,

  /** For the answer to `shutdown`: time to write a file or to close a connection. */
  shutdownGraceMs: 3_000,
  /** The same for a plugin with calls open after `drainMs`: one that works on them alone does not even read it. */
  busyShutdownGraceMs: 1_000,
  /** After the end of stdin: a plain `for line in stdin` program ends by itself here. */
  stdinEndGraceMs: 1_000,
  /** After SIGTERM; then SIGKILL. */
  terminateGraceMs: 2_000,
  /** A killed process that does not go away (uninterruptible I/O) is reported after this and given up. */
  killGraceMs: 1_000,
  /** What is still in the pipes of a dead process is read for this long; a grandchild that holds them gets no more. */
  pipeDrainMs: 50,
  /** A plugin whose standard output has ended gets this to exit by itself, so that its own exit is reported. */
  closedPipeGraceMs: 500,
  /** At the end of the host a plugin waits this long for those that need it to end first, all of them together. */
  stopOrderMs: 1_000,
  /** The whole host, all plugins at once: below systemd's 90 s and the ten seconds of `docker stop`. */
  closeMaxMs: 8_000,

  // Restarting

  /** First wait before a restart; doubles each time, and a random part of it is waited (full jitter). */
  restartBackoffMinMs: 250,
  /** Longest wait before a restart. */
  restartBackoffMaxMs: 30_000,
  restartBackoffFactor: 2,
  /** Crashes within `restartWindowMs` that quarantine a plugin. */
  restartsMax: 5,
  restartWindowMs: 3 * 60_000,
  /** Crashes remembered of one plugin that may crash as often as it likes: the wait has long reached its longest. */
  crashesKept: 32,
  /** A quarantined plugin gets one trial start after this. */
  quarantineMs: 5 * 60_000,
  /** Running this long without a crash forgets the earlier ones. */
  stableAfterMs: 60_000,
  /** Spares of one plugin kept ready with `standby`: one covers a crash, more only cost memory. */
  standbyMax: 1,
  /** From a start to the launch of a spare, so that one call from a command line does not start two processes. */
  standbyAfterMs: 1_000,
  /** Longest pause before another spare is tried, when spares end or fail to start. Doubles from `standbyAfterMs`. */
  standbyRetryMaxMs: 5 * 60_000,

  // Watching

  /** How often a plugin with feature `ping` is asked while a call is in flight and nothing has arrived. */
  pingAfterSilenceMs: 3_000,
  /** No answer to a ping for this long: shown as degraded. A long garbage collection stays below it. */
  degradedAfterMs: 3_000,
  /** No answer to a ping for this long: restarted. */
  unresponsiveAfterMs: 30_000,
  /** A plugin without a call for this long is stopped; the next call starts it again. */
  idleStopMs: 5 * 60_000,
  /** Changes of a plugin's folder within this are one reload: an editor writes a file in several steps. */
  reloadDebounceMs: 100,
  // Limits of a plugin's resources: how they are watched

  /**
   * How often plugins with a call in flight or above half their memory are looked at. A program fills at most some
   * hundred megabytes in that time, and what it may have before the kernel refuses is limited as well.
   */
  watchFastMs: 250,
  /**
   * When a plugin is looked at that was idle and is given something to do, and how often while its memory grows: what
   * takes memory as fast as it can reaches its limit in a tenth of a second.
   */
  watchGrowingMs: 25,
  /** How often the others are. They answer nothing and want nothing: what they do is slow or seen in two seconds. */
  watchSlowMs: 2_000,
  /** What each process of a plugin adds to the time between two looks: looking at it takes about 0.1 ms. */
  watchProcessMs: 4,
  /** But a plugin is looked at after this, however many it has. */
  watchPauseMaxMs: 1_000,
  /** So many looks at an idle plugin only ask for its memory; then one asks for everything. */
  watchGlances: 7,
  /** What the processes of a sandbox have beside the plugin's, in a control group with them, in MB. */
  groupHelpersMb: 16,
  /** Looks after which processes that were nobody's are asked again whose they are: numbers are used again. */
  watchForgetLooks: 8,
  /** For finding out what processes share. Then what they have counts as theirs alone. */
  memoryWalkMs: 2_000,
  /** Over this long the use of processors is averaged. Starts and garbage collections are shorter. */
  cpuWindowMs: 10_000,
  /** A plugin that has had all its processes for this long is ended: what forks without end does not stop by itself. */
  processesAtLimitMs: 1_000,
  /** How often a data folder is measured at most, while its plugin works. */
  diskWatchMs: 2_000,
  /** A measurement may take this share of the time, whatever the size of the folder. */
  diskWatchShare: 0.02,
  /** So much less free space on the disk is a reason to measure at the next look. */
  diskDropMb: 32,
  /** Files and folders in one data folder; more are as bad as too many bytes, and cannot be measured cheaply. */
  dataFiles: 200_000,

  // Resources of one plugin, unless `[limits]` says otherwise

  /** Data segment (RLIMIT_DATA) and memory of all processes: a Node plugin starts at 45 MB and works in 100–200. */
  memoryMb: 512,
  /** The most a manifest may ask for: what is left must do for the host and the other plugins of a small machine. */
  memoryMaxMb: 4_096,
  /** Processes and threads together: Node alone has eleven threads. */
  processes: 256,
  processesMax: 4_096,
  /** Size of a plugin's /tmp and of its /dev/shm, in memory. */
  temporaryMb: 64,
  /** Open files. */
  files: 256,
  filesMax: 16_384,
  /** Largest file a plugin may write. */
  fileSizeMb: 256,
  /** A plugin's data folder: four files of the largest size. */
  diskMb: 1_024,
  diskMaxMb: 16_384,
  /** What a plugin over its limit at its start may still grow by, so that it can tidy up. */
  diskSlackMb: 1,

  // Discovery

  /** Largest manifest in bytes. The longest in use have 20 KB; a parser must not be fed megabytes. */
  manifestBytes: 256 * 1024,
  /** Plugin folders looked at in one entry of the search path. */
  foldersPerSearchEntry: 10_000,
  /** Folders read at the same time. */
  discoveryConcurrency: 16,
  /** Manifests remembered between scans: those of several projects beside a thousand installed ones, in a few MB. */
  rememberedManifests: 4000,

  // Trust

  /** How often the trust store is looked at while plugins run: what is revoked elsewhere stops within a second. */
  trustPollMs: 250,

  // Permissions

  /** How often a running plugin's grants are compared with the state file; a revocation holds within a second. */
  decisionPollMs: 400,
  /** Permissions of one plugin whose uses are counted: a manifest has 200 of a kind, and few hosts are refused. */
  usesCounted: 400,
  /** For a plugin to end by itself when a permission was taken away; then it is killed. With the poll: below 1 s. */
  revokeGraceMs: 400,
  /** Longest answer to `prompt_user` in characters: a text that a person pastes. */
  answerChars: 64 * 1024,
  /** A question about a permission that nobody answers counts as no after this. */
  promptTimeoutMs: 5 * 60_000,
  /** Refusals of one plugin that are written into the audit log; the rest is counted. Each takes a disk write. */
  refusalsRecordedPerMinute: 60,
  /**
   * Each minute that was too short for the refusals in it is followed by one of twice the length, up to this: who asks
   * without end fills 60 lines an hour, half a megabyte a day.
   */
  refusalsMinuteMaxMs: 60 * 60_000,
  /** Lowest uid a root host gives to plugins: above every range that distributions and container tools allot. */
  pluginUidFirst: 300_000,
  /** Room for that many plugins with a uid of their own, numbers of removed ones included. */
  pluginUids: 100_000,

  // Configuration

  /** What a user may set for one plugin, as JSON. A service account has 3 KB; a configuration is no database. */
  configBytes: 256 * 1024,
  /** For the answer to `configure`: a plugin may open a connection with the new values before it agrees. */
  configureTimeoutMs: 10_000,

  // Network

  /** Connections one launch may have open through its proxy. A browser opens six to a host. */
  proxyConnections: 64,
  /** Largest header block of a request to the proxy and of an answer: what most servers take. */
  proxyHeaderBytes: 16 * 1024,
  /** A client of the proxy that has not sent its header by then is cut off. */
  proxyHeaderTimeoutMs: 10_000,
  /**
   * A connection to a host that carries nothing for this long is cut: as long as RFC 5382 (REQ-5) has every router on
   * the way keep it at least, so that what outlives them outlives this.
   */
  connectionIdleMs: (2 * 60 + 4) * 60_000,
  /** How often the proxy looks for such clients. */
  proxyCheckMs: 5_000,
  /** For the connection to a granted host, all its addresses together. */
  dialTimeoutMs: 10_000,
  /** For the resolver's answer. Its own retries take 5 s each. */
  lookupTimeoutMs: 10_000,
  /** Lookups of all plugins at a time: each holds one of the four threads that also read files. */
  lookupsAtOnce: 3,
  /** Lookups of one plugin at a time, so that slow names of one do not hold up the others. */
  lookupsPerLaunch: 1,
  /** From the start of the sandbox to a forwarder that listens; it takes about 10 ms. */
  forwarderStartMs: 5_000,
  /** Hosts that are audited by name for one launch; a wildcard can reach any number. */
  trafficTargets: 100,
  /** `fetch` requests of one plugin at a time; the others wait. Each may hold `fetchBodyBytes`. */
  fetchesAtOnce: 8,
  /** A `fetch` from its start to the last byte, unless it says otherwise. */
  fetchTimeoutMs: 30_000,
  /** The most a `fetch` may ask for. */
  fetchTimeoutMaxMs: 10 * 60_000,
  /** Largest body `fetch` returns, decoded: in base64 it fits into one message of the default size. */
  fetchBodyBytes: 5 * 1024 * 1024,

  // Settings

  /** Largest `config.toml`. A policy of a thousand entries has 50 KB. */
  settingsBytes: 256 * 1024,

  // State

  /** Largest value a plugin may keep in the host, as JSON: a document, not a file. Files go into its data folder. */
  stateValueBytes: 1024 * 1024,
  /** Keys and values of one plugin in one scope: what browsers give an extension, and read at once by a backup. */
  stateBytes: 16 * 1024 * 1024,
  /** Keys of one plugin in one scope; with keys of usual length `list_state` answers all of them in one message. */
  stateKeys: 10_000,
  /** Deleted keys of one scope whose versions are remembered one by one: looking through them takes 0.1 ms. */
  stateKeysForgotten: 1_000,
  /** How long a process waits for another one's write to state.db. A write takes 1–15 ms. */
  stateBusyTimeoutMs: 3_000,
  /** Exits kept per plugin, newest first, with its statistics. */
  exitsKept: 5,
  /** How long a call need not ask the store again whether its plugin is enabled. Nobody disables faster by hand. */
  enabledMs: 100,
  /** Plugins whose statistics are written in one turn of the event loop: together that takes about 5 ms. */
  metricsFlushPlugins: 64,
  /** Series one plugin may record with `record_metric`, over all its metrics. What people look at has a dozen. */
  metricSeries: 100,
  /** Statistics stay in memory at most this long; a kill -9 of the host loses no more than that. */
  metricsFlushMs: 1_000,

  ...eventLimits,

  /** At most so often the audit log says that calls of one plugin are refused for their number. */
  rateLimitAuditMs: 60_000,

  // Metrics over HTTP

  /** A scraper sends a few hundred bytes, and at once. */
  metricsHeaderBytes: 8 * 1024,
  metricsRequestMs: 5_000,
  /** At one time: a pair of scrapers keeps one each open. */
  metricsConnections: 16,

  // Audit log

  /** Size at which a file of the audit log is put by: some ten thousand launches, and read in a tenth of a second. */
  auditFileBytes: 8 * 1024 * 1024,

  // Log files

  /** Size at which a plugin's log file is rotated. */
  logFileBytes: 1024 * 1024,
  /** Files kept per plugin, the current one included. */
  logFiles: 3,
  /** The most that settings may ask for. */
  logFilesMax: 100,
  /** A log file is begun anew after so many days: what is older says little about what a plugin does now. */
  logFileDays: 30,
  /** Lines a second that one plugin may have logged. */
  logLinesPerSecond: wireLimits.logLinesPerSecond,
  /** Bytes of lines a second that one plugin may have logged: a disk takes that beside its work, for many plugins. */
  logBytesPerSecond: 1024 * 1024,
  /** How often a log that is followed is looked at: what is printed shows at once to whoever watches. */
  logFollowMs: 100,
  /** Lines that one read of a log returns at most. */
  logLinesRead: 10_000,

  // Daemon

  /** Connections to the control socket at one time: commands live for a moment, a page and an editor hold one each. */
  controlClients: 128,
  /** A connection that has not said who it is within this is closed; a command does so in its first message. */
  controlHelloMs: 10_000,
  /** Messages that are none of the protocol's before a connection is closed. A client that works sends none. */
  controlFaults: 32,
  /** Progress values of one call that may wait for its client; a terminal shows ten a second. */
  controlProgressQueued: 1_024,
  /** Hosts that the daemon keeps open for clients in projects, beside its own; each has its own plugin processes. */
  projectHosts: 8,
  /** The host of a project is closed when nobody of it called for this long, as an idle plugin is stopped. */
  projectHostIdleMs: 5 * 60_000,
  /** How often the daemon looks whether config.toml was changed: one lstat, and nobody waits longer after saving. */
  settingsLookMs: 500,
  /** `mmm daemon stop` waits this long for its end before it kills it: the 8 s a host takes at most, and some. */
  daemonStopMs: 10_000,
  /** How often it looks whether the daemon is gone. */
  daemonLookMs: 20,
  /** `mmm daemon start` waits this long until it is ready: a start takes a tenth of a second, on a bad day a few. */
  daemonReadyMs: 30_000,
  /** A command waits this long for the first answer of a daemon that accepts its connection. */
  daemonAnswerMs: 10_000,

  ...triggerLimits,
} as const;
